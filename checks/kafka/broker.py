"""Kafka's brokers, where notifications go to Kafka."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.host import Disks
from stackdoctor.facts.kafka import KafkaConfig
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.sockets import Sockets

YOUNG = 120
FULL = 99
LEAST_FREE = 64 * 1024 * 1024


@check("kafka.broker.silent", severity=Severity.ERROR)
def broker_silent(config: KafkaConfig, processes: Processes, sockets: Sockets) -> Iterator[Finding]:
    """A Kafka broker runs and does not listen on its port: it waits for ZooKeeper or its quorum, or recovers its log.

    Services drop their notifications meanwhile; nothing else of the cloud depends on them.  One that was started in
    the last two minutes is left out.
    """
    alive = [p for p in processes.of("kafka") if not p.zombie]
    listens = any(s.protocol == "tcp" and s.local_port == config.port for s in sockets.listeners)
    if alive and max(p.age for p in alive) >= YOUNG and not listens:
        yield Finding(
            config,
            f"Kafka runs (pid {alive[0].pid}) and does not listen on port {config.port}",
            evidence=alive[0].evidence,
            host=alive[0].evidence.node,
            service="kafka",
        )


@check("kafka.log.full", severity=Severity.ERROR)
def log_full(config: KafkaConfig, processes: Processes, disks: Disks) -> Iterator[Finding]:
    """The file system of Kafka's log segments is full: the broker shuts itself down when it cannot write.

    It is looked at where Kafka runs, or where the folder has a file system of its own.
    """
    runs = any(not p.zombie for p in processes.of("kafka"))
    for folder in config.log_dirs:
        disk = disks.of(folder)
        if disk is None or not disk.fills or not (runs or disk.mount.startswith(folder)):
            continue
        if (disk.percent or 0) >= FULL and (disk.available < LEAST_FREE or disk.percent == 100):
            yield Finding(
                folder,
                f"{disk.mount}, which Kafka's {folder} lies on, is full: {disk.available // 1048576} MiB free",
                evidence=(disk.evidence, config.evidence),
                host=disk.evidence.node,
                mount=disk.mount,
                service="kafka",
            )
