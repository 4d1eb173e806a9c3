"""A Kafka broker as its server.properties describes it (kafka/server/KafkaConfig.scala; docs/configuration).

>>> port_of("PLAINTEXT://:9092,CONTROLLER://192.0.2.1:9093"), port_of("SASL_SSL://[2001:db8::1]:9094"), port_of("x")
(9092, 9094, None)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.facts.answers import integer, output
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["KafkaConfig", "port_of"]

CONFIG = Probe(
    "kafka.config",
    files=(
        "/etc/kafka/server.properties",
        "/opt/kafka/config/kraft/server.properties",
        "/opt/kafka/config/server.properties",
        "/usr/local/kafka/config/server.properties",
        "/etc/kolla/kafka/kafka.server.properties",
    ),
    root=True,
    cap=256 * 1024,
)

DEFAULT_PORT = 9092
_LISTENER = re.compile(r"[A-Z0-9_]{1,40}://(?:\[[\da-fA-F:]{0,40}\]|[\w.-]{0,200}):(\d{1,5})")


@dataclass(frozen=True)
class KafkaConfig:
    """What matters here: the port of the first listener, the folders of the log segments, and ZooKeeper's servers.

    ``zookeeper`` is empty where the brokers keep their own quorum (KRaft, since 2.8 and alone since 4.0).
    """

    port: int
    log_dirs: tuple[str, ...]
    zookeeper: tuple[str, ...]
    evidence: Evidence
    listener: Evidence

    probes: ClassVar[tuple[Probe, ...]] = (CONFIG,)

    def __str__(self) -> str:
        return "kafka"

    @classmethod
    def parse(cls, results: NodeResults) -> KafkaConfig:
        """The configuration; raises NotApplicable on a node without a broker, CouldNotCheck."""
        result = results.usable(CONFIG)[0]
        values = _properties(output(result))
        listeners = values.get("listeners", ("", ""))
        port = port_of(listeners[0]) or integer(values.get("port", ("", ""))[0]) or DEFAULT_PORT
        folders = values.get("log.dirs", values.get("log.dir", ("/tmp/kafka-logs", "")))
        return cls(
            port,
            _words(folders[0]),
            _words(values.get("zookeeper.connect", ("", ""))[0].partition("/")[0]),
            results.evidence(result, folders[1]),
            results.evidence(result, listeners[1]),
        )


def port_of(listeners: str) -> int | None:
    """The port of the first listener in ``listeners``; None where it names none."""
    match = _LISTENER.search(listeners[:4096])
    return int(match[1]) if match else None


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _properties(text: str) -> Mapping[str, tuple[str, str]]:
    """Value and line by name; the last of a name holds (java.util.Properties)."""
    found: dict[str, tuple[str, str]] = {}
    for line in text.split("\n"):
        bare = line.strip()
        name, sign, value = bare.partition("=")
        if sign and bare[0] not in "#!":
            found[name.strip()] = value.strip(), excerpt(bare)
    return found
