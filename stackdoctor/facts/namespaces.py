"""Network namespaces of a node: which there are, what runs and listens in them, and reading an answer of each.

>>> parse_namespaces("qdhcp-8af4f28b-a650-4777-9df9-e50d1c68e83d (id: 1)")
(('qdhcp-8af4f28b-a650-4777-9df9-e50d1c68e83d', 1),)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import integer, output
from stackdoctor.facts.neutron_names import namespace_kind
from stackdoctor.model import Each, Evidence, NodeResults, Probe, Result

__all__ = [
    "EACH_NAMESPACE",
    "NETNS_LIST",
    "NETNS_PIDS",
    "NETNS_SOCKETS",
    "Answers",
    "Listener",
    "Listeners",
    "Namespace",
    "NamespaceProcesses",
    "Namespaces",
    "answers",
    "gaps_of",
    "parse_listeners",
    "parse_namespaces",
    "within",
]

NETNS_LIST = Probe("netns.list", ("ip", "netns", "list"), otherwise=(("ip", "netns"),))
EACH_NAMESPACE = Each(("ip", "netns", "list"), r"^([^\s-]\S*)", limit=500)


def within(id: str, *argv: str, otherwise: tuple[str, ...] = ()) -> Probe:
    """A probe that asks the same in every network namespace; its answers' subjects are the namespaces' names."""
    enter = ("ip", "netns", "exec", "{each}")
    older = ((*enter, *otherwise),) if otherwise else ()
    return Probe(id, (*enter, *argv), older, each=EACH_NAMESPACE, root=True)


NETNS_PIDS = Probe("netns.pids", ("ip", "netns", "pids", "{each}"), each=EACH_NAMESPACE, root=True)
NETNS_SOCKETS = within("netns.listen", "env", "PROC_ROOT=/proc", "ss", "-lntup")  # see allowed.py


@dataclass(frozen=True)
class Namespace:
    """A named network namespace: ``qrouter-c501d0eb-77af-42bd-970d-11e38055b813 (id: 2)``.

    ``kind`` is qdhcp, qrouter, snat, fip or qlbaas, and ``object_id`` the network's (qdhcp, fip) or router's
    id; both are empty for others.  ``id`` is how the host's links name it (link-netnsid), None if they do not.
    """

    name: str
    id: int | None
    kind: str
    object_id: str
    evidence: Evidence

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Namespaces:
    """The named network namespaces of a node (``ip netns list``, man ip-netns(8)); may be none."""

    namespaces: tuple[Namespace, ...]
    probes: ClassVar[tuple[Probe, ...]] = (NETNS_LIST,)

    @classmethod
    def parse(cls, results: NodeResults) -> Namespaces:
        """The namespaces; raises NotApplicable without iproute2, CouldNotCheck otherwise."""
        result = results.one(NETNS_LIST)
        return cls(
            tuple(
                Namespace(name, id_, *namespace_kind(name), results.evidence(result, name))
                for name, id_ in parse_namespaces(output(result))
            )
        )

    def named(self, name: str) -> Namespace | None:
        """The namespace called ``name``."""
        return next((n for n in self.namespaces if n.name == name), None)

    def of_kind(self, kind: str) -> tuple[Namespace, ...]:
        """All of one kind: qdhcp, qrouter, snat, fip."""
        return tuple(n for n in self.namespaces if n.kind == kind)


def parse_namespaces(listing: str) -> tuple[tuple[str, int | None], ...]:
    """Names and ids of ``ip netns list``.  Lines that iproute2 prints about stale mounts are no namespaces."""
    found: list[tuple[str, int | None]] = []
    for line in listing.splitlines():
        words = line.split()
        if not words or line.startswith(("Error:", "RTNETLINK")):
            continue
        if len(words) not in (1, 3) or (len(words) == 3 and words[1] != "(id:"):
            raise ParseError(f"not a line of ip netns list: {line[:200]}")
        found.append((words[0], integer(words[2].rstrip(")")) if len(words) == 3 else None))
    return tuple(found)


@dataclass(frozen=True)
class Answers:
    """What the host ("") and each namespace said to one question, and why some said nothing.

    ``absent`` is by namespace name; ``*`` stands for namespaces that could not even be listed.
    """

    said: tuple[tuple[str, Result, str], ...]
    absent: Mapping[str, str]


def answers(results: NodeResults, inside: Probe, host: Probe | None = None) -> Answers:
    """The host's and every namespace's answer as (namespace, result, text).

    Raises NotApplicable or CouldNotCheck where the host itself does not answer; one namespace that does not
    is in ``absent`` and takes nothing from the others.
    """
    said: list[tuple[str, Result, str]] = []
    if host is not None:
        result = results.one(host)
        said.append(("", result, output(result)))
    absent: dict[str, str] = {}
    try:
        names = [name for name, _ in parse_namespaces(output(results.one(NETNS_LIST)))]
    except NotApplicable:
        if host is None:
            raise
        names = []
    except CouldNotCheck as error:
        if host is None:
            raise
        names, absent = [], {"*": str(error)}
    for name in names:
        found = results.results.get((inside.id, name))
        if found is None:
            absent[name] = "not asked"
            continue
        try:
            said.append((name, found, output(found)))
        except CouldNotCheck as error:
            absent[name] = str(error)
    if absent and not said:
        raise CouldNotCheck(f"{inside.id}: {next(iter(absent.values()))}")
    return Answers(tuple(said), absent)


CHECKS = {"qdhcp": "dhcp.*", "qrouter": "router.*", "snat": "router.*", "fip": "router.*"}
"""The checks that miss what is in a namespace of Neutron's."""


def gaps_of(absent: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What the report says of namespaces that could not be read, or went away between listing and entering.

    >>> gaps_of({"qdhcp-8af4f28b": "ip netns exec qdhcp-8af4f28b ip addr: timed-out", "cni-1": "exit status 1"})
    (('dhcp.*', 'namespace qdhcp-8af4f28b: ip netns exec qdhcp-8af4f28b ip addr: timed-out'),)
    """
    found: list[tuple[str, str]] = []
    for name, why in absent.items():
        if name == "*":
            found += [(glob, f"namespaces: {why}") for glob in dict.fromkeys(CHECKS.values())]
        elif (glob := CHECKS.get(namespace_kind(name)[0])) is not None:
            found.append((glob, f"namespace {name}: {why}"))
    return tuple(found)


@dataclass(frozen=True)
class NamespaceProcesses:
    """The processes whose network namespace is a named one (``ip netns pids NAME``: one pid a line)."""

    pids: Mapping[str, tuple[int, ...]]
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (NETNS_LIST, NETNS_PIDS)

    @classmethod
    def parse(cls, results: NodeResults) -> NamespaceProcesses:
        """Process ids by namespace; raises NotApplicable, CouldNotCheck or ParseError."""
        read = answers(results, NETNS_PIDS)
        pids: dict[str, tuple[int, ...]] = {}
        for name, _, printed in read.said:
            numbers = [integer(word) for word in printed.split()]
            if None in numbers:
                raise ParseError(f"not process ids: {printed[:200]}")
            pids[name] = tuple(n for n in numbers if n is not None)
        return cls(pids, read.absent)


@dataclass(frozen=True)
class Listener:
    """A listening socket inside a namespace.

    ``tcp   LISTEN 0      1024   *:9697   *:*    users:(("haproxy",pid=3486,fd=4))``

    ``address`` is ``*`` for all of both families; ``interface`` is the scope behind ``%``; ``process`` and
    ``pid`` are of the first owner, empty and None where ss could not see it.
    """

    namespace: str
    protocol: str
    address: str
    port: int
    interface: str
    process: str
    pid: int | None
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.protocol} {self.address}:{self.port}"


@dataclass(frozen=True)
class Listeners:
    """Listening sockets in each named namespace (``ss -lntup``, man ss(8)): dnsmasq, the metadata proxy."""

    listeners: tuple[Listener, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    probes: ClassVar[tuple[Probe, ...]] = (NETNS_LIST, NETNS_SOCKETS)

    @classmethod
    def parse(cls, results: NodeResults) -> Listeners:
        """The sockets; raises NotApplicable, CouldNotCheck or ParseError."""
        read = answers(results, NETNS_SOCKETS)
        found = (
            listener
            for name, result, printed in read.said
            for listener in parse_listeners(printed, name, results, result)
        )
        return cls(tuple(found), read.absent)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The namespaces that could not be read."""
        return gaps_of(self.absent)

    def within(self, namespace: str) -> tuple[Listener, ...]:
        """The sockets of one namespace."""
        return tuple(s for s in self.listeners if s.namespace == namespace)


OWNER = re.compile(r'users:\(\("([^"]{0,64})",(?:pid=)?([0-9]{1,10}),')


def parse_listeners(printed: str, namespace: str, results: NodeResults, result: Result) -> tuple[Listener, ...]:
    """Rows of ``ss -lntup``; raises ParseError if the table has other columns (iproute2 3.x to 6.x agree)."""
    lines = printed.splitlines()
    if not lines:
        return ()
    if lines[0].split()[:6] != ["Netid", "State", "Recv-Q", "Send-Q", "Local", "Address:Port"]:
        raise ParseError(f"not the columns of ss -lntup: {lines[0][:200]}")
    return tuple(_listener(line, namespace, results, result) for line in lines[1:] if line.strip())


def _listener(line: str, namespace: str, results: NodeResults, result: Result) -> Listener:
    words = line.split(None, 5)
    if len(words) < 6:
        raise ParseError(f"not a socket: {line[:200]}")
    host, _, port = words[4].rpartition(":")
    address, _, interface = host.partition("%")
    number = integer(port)
    if number is None or not address:
        raise ParseError(f"not a local address: {words[4][:200]}")
    if address.startswith("[") and "]" in interface:  # older ones print [fe80::1%eth0]:53
        interface = interface.rstrip("]")
    owner = OWNER.search(words[5])
    return Listener(
        namespace,
        words[0],
        address.strip("[]") or "*",
        number,
        interface,
        owner[1] if owner else "",
        int(owner[2]) if owner else None,
        results.evidence(result, line.rstrip()),
    )
