"""Whether a RabbitMQ broker answers, and how it is: alarms, memory, disk, descriptors, its cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, cast

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts import answers
from stackdoctor.facts.erlang import Term, proplist, term
from stackdoctor.facts.rabbitmq_alarms import Alarm, alarms_in
from stackdoctor.facts.rabbitmq_sections import cluster_sections, status_sections
from stackdoctor.facts.rabbitmq_text import RABBITMQCTL, RABBITMQCTL_ENV, body, names_of, plain, text_of
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Evidence, NodeResults, Probe, Result

__all__ = ["STATUS", "BrokerStatus", "refuse_without_broker"]

_Values: TypeAlias = Mapping[str, object]

_KNOWN = {"rabbitmq_version", "running_applications", "memory", "alarms", "running_nodes", "partitions", "nodes"}

# entries of the JSON and what tells the same in the other dialects
_TOLD = {
    "rabbitmq_version": r"RabbitMQ version|\{rabbit,",
    "alarms": r" alarm on |\{alarms,",
    "vm_memory_high_watermark_limit": r"Total memory used|computed to|\{vm_memory_limit,",
    "disk_free": r"Free disk space:|\{disk_free,",
    "disk_free_limit": r"disk space watermark|\{disk_free_limit,",
}
_TOLD_OF_CLUSTER = {"partitions": r"cannot communicate|\{partitions,", "running_nodes": r"\{running_nodes,"}

DATABASES = "/var/lib/rabbitmq/mnesia"

# what rabbitmqctl of 3.5 to 3.13 says when the node it asks is not there, or is there and has stopped
_DOWN = re.compile(
    r"unable to (?:perform an operation on|connect to) node|nodedown|requires the 'rabbit' app to be running"
    r"|timed out|node is not running|nodistribution",
    re.IGNORECASE,
)
# what says nothing of it: we may not ask, or its process is there and silent (rabbitmq_silence.py)
_REFUSED = re.compile(
    r"Only root or rabbitmq|eacces|permission denied|password is required|rejected by the remote node"
    r"|Erlang distribution failed|\.erlang\.cookie|operation \S+ on node \S+ timed out|\{badrpc,\s*timeout\}",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"epmd reports|unable to connect to epmd|epmd .*(?:nxdomain|timeout|address)|app(?:lication)? not run"
)


STATUS = Probe(
    "rabbitmq.status",
    (*RABBITMQCTL, "status", "--formatter", "json"),
    otherwise=((*RABBITMQCTL, "status"),),
    root=True,
    container="rabbitmq",
    timeout=30.0,
    env=RABBITMQCTL_ENV,
)
"""Each rabbitmqctl starts an Erlang machine: the others are asked only where this one found a broker."""


@dataclass(frozen=True)
class BrokerStatus:
    """The broker of this node, as ``rabbitmqctl status`` and ``cluster_status`` show it.

    ``answering`` is False where rabbitmqctl is installed and no broker answers it; ``reason`` says what it said.
    ``configured`` tells a broker that is down from a node with the client tools only: a broker that ever ran
    here has a database in /var/lib/rabbitmq/mnesia.  Sizes are in bytes; None and empty where a version or a
    dialect does not say.  ``partitions`` are pairs of a node and those that it lost; None if not read.

    JSON of 3.8 and later (shortened)::

        {"alarms":[{"node":"rabbit@broker1","resource":"memory","type":"resource_limit"}],
         "data_directory":"/var/lib/rabbitmq/mnesia/rabbit@broker1","disk_free":81746669568,"disk_free_limit":50000000,
         "file_descriptors":{"sockets_limit":832,"sockets_used":0,"total_limit":927,"total_used":4},
         "memory":{"total":{"erlang":67621280,"rss":125997056,"allocated":48807936},"strategy":"rss"},
         "rabbitmq_version":"3.10.8","vm_memory_high_watermark_limit":2527650}

    Erlang terms to 3.7 (shortened)::

        [{pid,5085},{running_applications,[{rabbit,"RabbitMQ","3.6.3"}]},{memory,[{total,65179648}]},{alarms,[]},
         {vm_memory_limit,1590132736},{disk_free_limit,50000000},{disk_free,40712921088},
         {file_descriptors,[{total_limit,924},{total_used,3},{sockets_limit,829},{sockets_used,1}]}]
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        STATUS,
        Probe(
            "rabbitmq.cluster-status",
            (*RABBITMQCTL, "cluster_status", "--formatter", "json"),
            otherwise=((*RABBITMQCTL, "cluster_status"),),
            root=True,
            container="rabbitmq",
            timeout=30.0,
            env=RABBITMQCTL_ENV,
            after=STATUS.id,
        ),
        Probe("rabbitmq.databases", ("ls", "-1", DATABASES), root=True, container="rabbitmq"),
    )

    answering: bool
    reason: str
    configured: bool
    evidence: Evidence
    node: str = ""
    version: str = ""
    alarms: tuple[Alarm, ...] = ()
    memory_used: int | None = None
    memory_limit: int | None = None
    disk_free: int | None = None
    disk_limit: int | None = None
    descriptors_used: int | None = None
    descriptors_limit: int | None = None
    sockets_used: int | None = None
    sockets_limit: int | None = None
    data_directory: str = ""
    uptime: int | None = None
    nodes: tuple[str, ...] = ()
    running_nodes: tuple[str, ...] = ()
    partitions: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    cluster_evidence: Evidence | None = None

    def __str__(self) -> str:
        return self.node or "RabbitMQ"

    @classmethod
    def parse(cls, results: NodeResults) -> BrokerStatus:
        """The state of this node's broker; down is a value.

        Raises NotApplicable without rabbitmqctl, CouldNotCheck where it may not ask, ParseError.
        """
        result = results.one(cls.probes[0])
        database = _database(results, cls.probes[2])
        if result.exit:
            reason = _why_down(result)
            return cls(False, reason, bool(database), results.evidence(result, reason), node=database)
        values = _read(result, status_sections)
        cluster: _Values = {}
        cluster_result: Result | None = None
        try:
            cluster_result = results.one(cls.probes[1])
            cluster = _read(cluster_result, cluster_sections)
        except ParseError:
            raise
        except (CouldNotCheck, NotApplicable):
            cluster_result = None
        running = names_of(cluster.get("running_nodes"))
        node = _node(values) or database or (running[0] if len(running) == 1 else "")
        alarms = alarms_in(results, result, values, node)
        partitions = cluster_evidence = None
        if cluster_result is not None:
            alarms |= alarms_in(results, cluster_result, cluster, node)
            partitions = _partitions(cluster.get("partitions"))
            cluster_evidence = results.evidence(cluster_result, _shown(cluster_result, cluster, _TOLD_OF_CLUSTER))
        descriptors = _map(values, "file_descriptors")
        return cls(
            True,
            "",
            True,
            results.evidence(result, _shown(result, values, _TOLD)),
            node=node,
            version=_version(values),
            alarms=tuple(alarms.values()),
            memory_used=_memory(values),
            memory_limit=_number(values, "vm_memory_high_watermark_limit", "vm_memory_limit"),
            disk_free=_number(values, "disk_free"),
            disk_limit=_number(values, "disk_free_limit"),
            descriptors_used=_number(descriptors, "total_used"),
            descriptors_limit=_number(descriptors, "total_limit"),
            sockets_used=_number(descriptors, "sockets_used"),
            sockets_limit=_number(descriptors, "sockets_limit"),
            data_directory=text_of(values.get("data_directory")),
            uptime=_number(values, "uptime"),
            nodes=_members(cluster),
            running_nodes=running,
            partitions=partitions,
            cluster_evidence=cluster_evidence,
        )


_NODE = re.compile(r"[\w-]{1,64}@[\w.-]{1,255}")


def _database(results: NodeResults, probe: Probe) -> str:
    """The broker whose database lies on this node, empty if there is none (or it cannot be seen)."""
    try:
        listing = results.one(probe)
    except (CouldNotCheck, NotApplicable):
        return ""
    # beside rabbit@host lie rabbit@host.pid, rabbit@host-plugins-expand and more of them
    names = [line.strip() for line in listing.text.splitlines() if _NODE.fullmatch(line.strip())]
    return min(names, key=len, default="")


def _why_down(result: Result) -> str:
    """What rabbitmqctl says of a broker that does not answer.  Raises CouldNotCheck where it may not even ask."""
    said = plain((result.stderr + b"\n" + result.stdout)[:65536].decode("utf-8", "replace"))
    lines = [line.strip(" \t*") for line in said.splitlines()]
    first = next((line for line in lines if line.startswith("Error")), next((line for line in lines if line), ""))
    if refused := next((line for line in lines if _REFUSED.search(line)), ""):
        raise CouldNotCheck(f"{result.command}: {excerpt(refused)}")
    if not _DOWN.search(said):
        raise CouldNotCheck(f"{result.command}: exit status {result.exit}: {excerpt(first)}")
    because = next((line for line in lines if _REASON.search(line)), "")
    return excerpt(first.split(". Please see")[0] + (f" ({because})" if because else ""))


def _read(result: Result, sections: Callable[[str], _Values]) -> _Values:
    """The answer by the keys of its JSON, or of its Erlang terms, which mostly are the same."""
    text = body(result)
    if text.startswith("{"):
        value = answers.json_value(text)
        if not isinstance(value, dict):
            raise ParseError(f"{result.command}: not an object")
    elif text.startswith("["):
        value = dict(proplist(term(text)))
    else:
        value = dict(sections(plain(text)))
    if not _KNOWN & value.keys():
        raise ParseError(f"{result.command}: nothing in it is known")
    return value


def _map(values: _Values, key: str) -> _Values:
    value = values.get(key)
    if isinstance(value, dict):
        return value
    return proplist(cast(Term, value)) if isinstance(value, list) else {}


def _number(values: _Values, *keys: str) -> int | None:
    for key in keys:
        value = values.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _memory(values: _Values) -> int | None:
    """All memory in use: one number to 3.6, and since then one for each way to measure it and the way that counts."""
    memory = _map(values, "memory")
    whole = _map(memory, "total")
    strategy = text_of(memory.get("strategy")) or "rss"
    return _number(memory, "total") or _number(whole, strategy, "rss", "allocated", "erlang")


def _version(values: _Values) -> str:
    if version := text_of(values.get("rabbitmq_version")):
        return version
    applications = values.get("running_applications")
    for application in applications if isinstance(applications, list) else ():
        if isinstance(application, (list, tuple)) and len(application) == 3 and application[0] == "rabbit":
            return text_of(application[2])
    return ""


def _node(values: _Values) -> str:
    """The node's own name: printed for people, and in JSON only the end of its data directory."""
    name = text_of(values.get("node")) or text_of(values.get("data_directory")).rstrip("/").rpartition("/")[2]
    return name if "@" in name else ""


def _members(cluster: _Values) -> tuple[str, ...]:
    grouped = _map(cluster, "nodes")
    of_kind = (cluster.get("disk_nodes"), cluster.get("ram_nodes"), grouped.get("disc"), grouped.get("ram"))
    return tuple(dict.fromkeys(name for names in of_kind for name in names_of(names)))


def _partitions(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    lost = value if isinstance(value, dict) else proplist(cast(Term, value)) if isinstance(value, list) else {}
    return tuple((node, names_of(names)) for node, names in lost.items() if names)


def _shown(result: Result, values: _Values, told: Mapping[str, str]) -> str:
    """What ``result`` says of the keys of ``told``: of JSON those entries, else the lines that ``told`` matches."""
    text = plain(body(result))
    if text.startswith("{"):
        return json.dumps({key: values[key] for key in told if key in values})
    words = re.compile("|".join(told.values()))
    return "; ".join(line.strip() for line in text.splitlines() if words.search(line))


def refuse_without_broker(results: NodeResults) -> None:
    """Raises NotApplicable on a node that has no broker of its own, CouldNotCheck where that one does not answer."""
    try:
        status = BrokerStatus.parse(results)
    except CouldNotCheck:
        return
    if not status.answering:
        if status.configured:
            raise CouldNotCheck(f"the broker does not answer: {status.reason}")
        raise NotApplicable("no broker has run on this node")
