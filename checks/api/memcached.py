"""The cache that every API asks before it asks Keystone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from stackdoctor.checks.host.connections import no_answer

from stackdoctor.api import Cloud, Evidence, Finding, Severity, check
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.host import HostsFile
from stackdoctor.facts.memcache_config import CacheServer, MemcacheConfig
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.sockets import Sockets

PORT = 11211
ANY = frozenset(("0.0.0.0", "*", "::", "[::]", ""))
USERS = {
    "nova": ("nova-api", "nova-api-metadata", "nova-api-os-compute", "nova-metadata", "nova-consoleauth"),
    "keystone": ("keystone",),
}
"""Who reads those options: nova-compute's nova.conf has them as a rule, and it checks no token."""


@check("memcached.not-listening", severity=Severity.ERROR)
def nobody_listens(
    cloud: Cloud[MemcacheConfig],
    sockets: Cloud[Sockets],
    addresses: Cloud[Addresses],
    processes: Cloud[Processes],
    hosts: Cloud[HostsFile] | None,
) -> Iterator[Finding]:
    """Services are told to use a memcached where nobody listens: each of their requests waits for it in vain.

    It does not run, listens at the loopback only or at another port, or the configuration names the wrong node.  The
    configuration is looked at where a service runs that uses it: an API, or Keystone.
    """
    users: dict[tuple[str, str, int], list[tuple[str, CacheServer]]] = {}
    for node, servers in cloud:
        for server in servers:
            homes = _homes(node, server.host, addresses, hosts) if _is_used(node, server, processes) else []
            open_to = [home for home in homes if home[0] in sockets.facts]
            if open_to and not any(_listens(*home, server.port, sockets) for home in open_to):
                users.setdefault((*open_to[0], server.port), []).append((node, server))
    for (owner, ip, port), used in sorted(users.items()):
        listeners = sockets.facts[owner].listening(port)
        seen: list[Evidence] = [used[0][1].evidence]
        seen += [s.evidence for s in listeners[:1]]
        where = f", only at {listeners[0].local}" if listeners else ""
        yield Finding(
            f"{ip}:{port}",
            f"nobody listens at {ip}:{port} on {owner}{where}: {_names(used)} keep their tokens there",
            node=owner,
            evidence=tuple(seen),
            host=owner,
            service="memcached",
            port=port,
        )


def _names(used: list[tuple[str, CacheServer]]) -> str:
    return ", ".join(sorted({f"{server.service} on {node}" for node, server in used})[:4])


def _is_used(node: str, server: CacheServer, processes: Cloud[Processes]) -> bool:
    found = processes.facts.get(node)
    return found is not None and any(not p.zombie for name in USERS.get(server.service, ()) for p in found.of(name))


def _listens(owner: str, ip: str, port: int, sockets: Cloud[Sockets]) -> bool:
    return any(s.local in ANY or s.local.strip("[]") == ip for s in sockets.facts[owner].listening(port))


def _homes(asker: str, host: str, addresses: Cloud[Addresses], hosts: Cloud[HostsFile] | None) -> list[tuple[str, str]]:
    """The nodes that ``host`` may be, and the addresses, as ``asker`` resolves it; empty where that is not known.

    A name may have several addresses: localhost is 127.0.0.1 and ::1.
    """
    candidates: tuple[str, ...]
    try:
        candidates = (str(ipaddress.ip_address(host)),)
    except ValueError:
        known = hosts.facts.get(asker) if hosts is not None else None
        candidates = known.addresses(host) if known is not None else ()
    found: list[tuple[str, str]] = []
    for ip in candidates:
        if ipaddress.ip_address(ip).is_loopback:
            found.append((asker, ip))
            continue
        owners = [node for node, own in addresses if any(a.ip == ip and not a.namespace for a in own.holding(ip))]
        if len(owners) != 1:
            return []  # an address of another machine, or one that several have
        found.append((owners[0], ip))
    return found


@check("memcached.connection.unanswered", severity=Severity.ERROR)
def unanswered(sockets: Sockets) -> Iterator[Finding]:
    """A service waits for memcached to answer its connection, or what it sent: packets are lost, or it is down."""
    yield from no_answer(sockets, PORT, "memcached at")
