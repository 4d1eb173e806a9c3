"""TCP connections and listening sockets of a node, in its own network namespace, with the programs behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import output
from stackdoctor.facts.table import excerpt, whole
from stackdoctor.model import Evidence, NodeResults, Probe, Result

__all__ = ["Socket", "Sockets"]

# names as ss(8) has them; netstat(8) writes some of them otherwise
_STATES = {
    "ESTABLISHED": "ESTAB",
    "TIME_WAIT": "TIME-WAIT",
    "CLOSE_WAIT": "CLOSE-WAIT",
    "SYN_SENT": "SYN-SENT",
    "SYN_RECV": "SYN-RECV",
    "FIN_WAIT1": "FIN-WAIT-1",
    "FIN_WAIT2": "FIN-WAIT-2",
    "LAST_ACK": "LAST-ACK",
    "CLOSE": "UNCONN",
}
_KNOWN = frozenset({*_STATES.values(), "LISTEN", "CLOSING", "UNCONN", "CLOSED", "BOUND", "NEW-SYN-RECV", "UNKNOWN"})
_OVER = "TIME-WAIT"
"""No program has it any more; a busy server has ten thousands of them, and ss(8) leaves them out without ``-a``."""
_EARLIER = (Probe("sockets.tcp", ("ss", "-tnpo")), Probe("sockets.listening", ("ss", "-lntup")))
"""What snapshots have that were taken before one question was enough."""
_WAITING = (("tcp", "LISTEN"), ("udp", "UNCONN"))
_HOLDER = re.compile(r'\("([^"]{1,64})",(?:pid=)?(\d{1,10}),(?:fd=)?\d{1,10}\)')
_RETRIES = re.compile(r"timer:\([a-z]+,[^,()]*,(\d{1,3})\)")
_SS = re.compile(r"(Netid +)?State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port ?(?: *Process)? *")
_NETSTAT = re.compile(r"Proto +Recv-Q +Send-Q +Local Address +Foreign Address +State +PID/Program name *")


class Socket(NamedTuple):  # a node has hundreds, and a frozen dataclass takes twice the time to make
    """One socket.  ``protocol`` is tcp or udp, ``state`` ss(8)'s word; port 0 stands for any.

    For a listening one ``recv_q`` counts connections that wait to be accepted, else they are bytes: not read by the
    program here, not acknowledged by the peer.  ``retries`` counts repetitions, of what was sent or of the question
    whether the peer has room again, since its last answer; 0 where it is not said.  ``program`` is cut to 15 characters
    by the kernel; it is empty, and ``pids`` too, without the right to see it.
    """

    protocol: str
    state: str
    recv_q: int
    send_q: int
    local: str
    local_port: int
    peer: str
    peer_port: int
    program: str
    pids: tuple[int, ...]
    evidence: Evidence
    retries: int = 0

    def __str__(self) -> str:
        return f"{self.protocol} {self.local}:{self.local_port} -> {self.peer}:{self.peer_port}"


@dataclass(frozen=True)
class Sockets:
    """All TCP connections but those in TIME-WAIT or SYN-RECV, and all listening TCP and unconnected UDP sockets.

    ``ss -tuanpo`` (iproute2; before 5.0 without the word Process)::

        Netid State      Recv-Q Send-Q  Local Address:Port     Peer Address:Port Process
        tcp   LISTEN     0      128              [::]:22               [::]:*     users:(("sshd",pid=291,fd=4))
        tcp   CLOSE-WAIT 1      0      192.168.199.20:34168 192.168.199.100:9292  users:(("nova-compute",pid=879,fd=20))
        tcp   ESTAB      0      16     198.51.100.21:38500  198.51.100.10:5672    users:(...) timer:(persist,1.630ms,3)

    ``netstat``::

        Active Internet connections (servers and established)
        Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
        tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      291/sshd: /usr/sbin
    """

    # PROC_ROOT makes ss read /proc/net/tcp: over netlink it has the kernel load the module tcp_diag.  Reading it takes
    # most of the time, so both kinds come of one reading
    probes: ClassVar[tuple[Probe, ...]] = (
        Probe(
            "sockets",
            ("env", "PROC_ROOT=/proc", "ss", "-tuanpo", "exclude", "time-wait", "exclude", "syn-recv"),
            otherwise=(("netstat", "-tuanp"),),
            root=True,
            cap=16 * 1024 * 1024,
        ),
    )

    connections: tuple[Socket, ...]
    listeners: tuple[Socket, ...]

    def __iter__(self) -> Iterator[Socket]:
        yield from self.connections
        yield from self.listeners

    def to_port(self, port: int) -> tuple[Socket, ...]:
        """The connections from here to ``port`` of any peer."""
        return tuple(socket for socket in self.connections if socket.peer_port == port)

    def unanswered(self, *ports: int) -> Mapping[tuple[str, int], tuple[Socket, ...]]:
        """Connections to ``ports`` whose peer answers nothing, by its address and port: in the making, or stuck.

        Stuck is what was sent again twice without an acknowledgement: for 0.6 s at the least (TCP_RTO_MIN, Linux).
        """
        found: dict[tuple[str, int], tuple[Socket, ...]] = {}
        for socket in self.connections:
            stuck = socket.send_q and socket.retries > 1
            if socket.peer_port in ports and (stuck or socket.state == "SYN-SENT"):
                peer = (socket.peer, socket.peer_port)
                found[peer] = (*found.get(peer, ()), socket)
        return dict(sorted(found.items()))

    def alive(self, port: int, peer: str = "") -> bool:
        """Whether there is a connection to ``port``, of ``peer`` or of any, on which all that was sent has arrived."""
        found = (s for s in self.to_port(port) if s.state == "ESTAB" and not s.send_q)
        return any(not peer or s.peer == peer for s in found)

    def listening(self, port: int, protocol: str = "tcp") -> tuple[Socket, ...]:
        """The sockets that wait on ``port``."""
        return tuple(socket for socket in self.listeners if (socket.local_port, socket.protocol) == (port, protocol))

    def for_the_cloud(self) -> Sockets:
        """What listens here, and the connections from here to other hosts."""
        ports = {socket.local_port for socket in self.listeners}
        away = (s for s in self.connections if s.local_port not in ports and not s.peer.startswith("127."))
        return Sockets(tuple(s for s in away if s.peer != "::1"), self.listeners)

    @classmethod
    def parse(cls, results: NodeResults) -> Sockets:
        """The sockets.  Raises CouldNotCheck, ParseError or NotApplicable."""
        asked = _EARLIER if (_EARLIER[0].id, "") in results.results else cls.probes
        answers = [tuple(_sockets(results, results.one(probe))) for probe in asked]
        connections = (s for s in answers[0] if s.protocol == "tcp" and s.state not in ("LISTEN", _OVER))
        return cls(tuple(connections), tuple(s for s in answers[-1] if (s.protocol, s.state) in _WAITING))


def _sockets(results: NodeResults, result: Result) -> Iterator[Socket]:
    columns = ""
    for line in output(result).split("\n"):
        if not columns:
            if match := _SS.fullmatch(line):
                columns = "netid" if match[1] else "ss"
            elif _NETSTAT.fullmatch(line):
                columns = "netstat"
            elif line.strip() and not line.startswith("Active Internet connections"):
                raise ParseError(f"{result.command}: unknown header: {excerpt(line)}")
        elif line.strip() and not line.startswith(_OVER):
            evidence = results.evidence(result, line.rstrip())
            yield _netstat(line, evidence) if columns == "netstat" else _ss(line, columns == "netid", evidence)
    if not columns:
        raise ParseError(f"{result.command}: no header")


def _ss(line: str, with_netid: bool, evidence: Evidence) -> Socket:
    words = line.split(None, 6 if with_netid else 5)
    protocol = words.pop(0) if with_netid else "tcp"
    if len(words) < 5 or words[0] not in _KNOWN:
        raise ParseError(f"not a socket: {excerpt(line)}")
    state, recv_q, send_q, local, peer = words[:5]
    holders = _HOLDER.findall(words[5]) if len(words) > 5 else []
    return Socket(
        protocol,
        state,
        whole(recv_q),
        whole(send_q),
        *_address(local),
        *_address(peer),
        holders[0][0] if holders else "",
        tuple(dict.fromkeys([int(pid) for _, pid in holders])) if holders else (),
        evidence,
        int(again[1]) if len(words) > 5 and (again := _RETRIES.search(words[5])) else 0,
    )


def _netstat(line: str, evidence: Evidence) -> Socket:
    words = line.split(None, 5)
    if len(words) < 6:
        raise ParseError(f"not a socket: {excerpt(line)}")
    protocol, recv_q, send_q, local, peer, rest = words
    state, _, holder = rest.partition(" ")
    state = _STATES.get(state, state)
    if state not in _KNOWN:  # an unconnected UDP socket has an empty state
        state, holder = "UNCONN", rest
    pid, _, program = holder.strip().partition("/")
    return Socket(
        protocol.rstrip("6"),
        state,
        whole(recv_q),
        whole(send_q),
        *_address(local),
        *_address(peer),
        program[:15],
        (whole(pid),) if program else (),
        evidence,
    )


@lru_cache(8192)
def _address(words: str) -> tuple[str, int]:
    """Address and port of ``192.0.2.1:22``, ``[::1]%lo:22``, ``::ffff:192.0.2.1:22`` or ``*:*``.

    >>> _address("[::ffff:192.0.2.1]:5672"), _address(":::22"), _address("127.0.0.53%lo:53"), _address("0.0.0.0:*")
    (('192.0.2.1', 5672), ('::', 22), ('127.0.0.53', 53), ('0.0.0.0', 0))
    """
    address, colon, port = words.rpartition(":")
    if not colon:
        raise ParseError(f"not an address with a port: {excerpt(words)}")
    address = address.partition("%")[0].removeprefix("[").removesuffix("]").removeprefix("::ffff:")
    return address or "*", 0 if port == "*" else whole(port)
