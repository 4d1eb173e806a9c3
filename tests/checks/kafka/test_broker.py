"""server.properties in the form that Kafka 3 comes with (config/server.properties); a real command line, shortened."""

CONF = "broker.id=0\nlisteners=PLAINTEXT://192.0.2.10:9092\nlog.dirs=/var/lib/kafka\nzookeeper.connect=192.0.2.10\n"
CLASSES = ":".join(f"/opt/kafka/bin/../libs/some-library-{n}.jar" for n in range(120))
KAFKA = f"/usr/bin/java -Xmx1G -server -cp {CLASSES} kafka.Kafka /opt/kafka/config/server.properties"
TCP = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"
NONE = "Netid State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
OPEN = NONE + 'tcp LISTEN 0 50 [::ffff:192.0.2.10]:9092 *:* users:(("java",pid=396,fd=140))\n'
DF = "Filesystem Type 1024-blocks Used Available Capacity Mounted on\n/dev/b xfs 10475520 {0} {1} {2}% /var/lib/kafka\n"


def node(processes: str, listening: str = OPEN, disks: str = DF.format(1000, 10474520, 1)) -> dict[str, str]:
    return {
        "processes": processes,
        "sockets.tcp": TCP,
        "sockets.listening": listening,
        "disks.bytes": disks,
        "kafka.config /opt/kafka/config/server.properties": CONF,
    }


def test_a_broker_that_does_not_listen_is_the_cause(look, running) -> None:
    seen = look(kafka1=node(running(KAFKA), NONE))
    assert "kafka.broker.silent" in seen.findings
    assert seen.causes == [("kafka-notification-broken", "kafka1")]


def test_one_that_listens_has_just_started_or_is_not_there_is_not(look, running) -> None:
    assert look(kafka1=node(running(KAFKA))).findings == {}
    assert look(kafka1=node(running(KAFKA, age=60), NONE)).findings == {}
    assert look(kafka1=node(running(), NONE)).findings == {}


def test_a_full_log_is_found_also_after_the_broker_ended_itself(look, running) -> None:
    for processes in (running(KAFKA), running()):
        seen = look(kafka1=node(processes, disks=DF.format(10475520, 0, 100)))
        assert seen.findings["kafka.log.full"].keys["mount"] == "/var/lib/kafka"
        assert seen.causes == [("kafka-notification-broken", "kafka1")]
