"""The facts of a RabbitMQ broker, in one place for those who check them."""

from __future__ import annotations

from stackdoctor.facts.rabbitmq_alarms import Alarm
from stackdoctor.facts.rabbitmq_connections import (
    Channel,
    Channels,
    Connection,
    Connections,
    Consumer,
    Consumers,
)
from stackdoctor.facts.rabbitmq_holders import queue_holders
from stackdoctor.facts.rabbitmq_queues import Counts, Queue, Queues
from stackdoctor.facts.rabbitmq_status import BrokerStatus

__all__ = [
    "Alarm",
    "BrokerStatus",
    "Channel",
    "Channels",
    "Connection",
    "Connections",
    "Consumer",
    "Consumers",
    "Counts",
    "Queue",
    "Queues",
    "queue_holders",
]
