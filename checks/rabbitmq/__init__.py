"""RabbitMQ: the broker, its queues and its connections."""
