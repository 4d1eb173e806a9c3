from stackdoctor.facts.kafka import CONFIG, KafkaConfig

ZOOKEEPER = """# Licensed to the Apache Software Foundation (ASF)
broker.id=0
#listeners=PLAINTEXT://:9999
num.network.threads=3
log.dirs=/var/lib/kafka/a, /var/lib/kafka/b
zookeeper.connect=192.0.2.1:2181,192.0.2.2:2181/kafka
"""
KRAFT = "process.roles=broker,controller\nlisteners=PLAINTEXT://:9094,CONTROLLER://:9093\nlog.dirs=/tmp/kraft\n"


def test_a_broker_is_described_with_its_defaults(answer, answered_node) -> None:
    found = KafkaConfig.parse(answered_node(answer(CONFIG, ZOOKEEPER, "/etc/kafka/server.properties")))
    assert (found.port, found.log_dirs) == (9092, ("/var/lib/kafka/a", "/var/lib/kafka/b"))
    assert found.zookeeper == ("192.0.2.1:2181", "192.0.2.2:2181")
    found = KafkaConfig.parse(answered_node(answer(CONFIG, KRAFT, "/opt/kafka/config/kraft/server.properties")))
    assert (found.port, found.zookeeper) == (9094, ())
