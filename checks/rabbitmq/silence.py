"""A broker whose process is there and that answers nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackdoctor.api import Evidence, Finding, Severity, check
from stackdoctor.facts.host import Load
from stackdoctor.facts.processes import Process, Processes
from stackdoctor.facts.rabbitmq_silence import BrokerSilence
from stackdoctor.facts.sockets import Socket, Sockets

AMQP_PORTS = (5672, 5671)
OVERLOADED = 4.0
"""Processes for each CPU: from here on a node may just be slow."""

# rabbitmqctl is a beam.smp as well, and this look runs one
_SERVER = re.compile(r"\s-s rabbit\S{0,20} boot(?:\s|$)")


@check("rabbitmq.broker.unresponsive", severity=Severity.CRITICAL)
def broker_unresponsive(
    silence: BrokerSilence, processes: Processes, sockets: Sockets | None, load: Load | None
) -> Iterator[Finding]:
    """The broker's process is there, and rabbitmqctl waits for it in vain.

    It is stopped by a signal, waits for a dead disk, or its schedulers hang.  Its port is open all the same: the
    kernel takes connections and nobody reads them, which shows as bytes and connections that wait on it
    (`unread`).  Where none wait, or the node has far more work than CPUs, it may be rabbitmqctl that is slow, and
    this is a warning.  A wrong Erlang cookie, missing rights and a broker that is down are not meant.
    """
    servers = [p for p in processes.of("rabbitmq-server") if _SERVER.search(p.args) and not p.zombie]
    if not silence.silent or not servers:
        return
    unread, shown = _unread(sockets)
    busy = _is_overloaded(load, servers)
    yield Finding(
        silence,
        f"the process of RabbitMQ is there (pid {servers[0].pid}, state {servers[0].stat}) and answers nobody:"
        f" {silence.evidence.line}",
        severity=None if unread == "yes" and not busy else Severity.WARNING,
        evidence=(silence.evidence, servers[0].evidence, *shown),
        service="rabbitmq-server",
        host=silence.evidence.node,
        broker=silence.evidence.node,
        pid=servers[0].pid,
        unread=unread,
        overloaded="yes" if busy else "no",
    )


def _unread(sockets: Sockets | None) -> tuple[str, tuple[Evidence, ...]]:
    """Whether clients' connections or bytes wait on the AMQP ports, and those that show it."""
    if sockets is None:
        return "unknown", ()
    listeners = [s for port in AMQP_PORTS for s in sockets.listening(port)]
    if not listeners:
        return "unknown", ()
    waiting = [s for s in listeners if s.recv_q]
    clients = [s for s in sockets.connections if s.local_port in AMQP_PORTS and s.state in ("ESTAB", "CLOSE-WAIT")]
    silent = [s for s in clients if s.recv_q]
    shown: list[Socket] = waiting[:1] + silent[:1]
    # at any one moment a few are unread on every busy broker
    return "yes" if waiting or len(silent) * 2 > len(clients) else "no", tuple(s.evidence for s in shown)


def _is_overloaded(load: Load | None, servers: list[Process]) -> bool:
    """Whether the node's work may be why nothing answers; a broker that is stopped or waits for a disk has its own."""
    if load is None or any(p.stopped or p.uninterruptible for p in servers):
        return False
    return load.one > OVERLOADED * max(load.cpus, 1)
