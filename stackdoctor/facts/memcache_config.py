"""Where the services look for memcached: the options of keystonemiddleware and oslo.cache in their files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.nova_config import NOVA_CONFIG
from stackdoctor.facts.oslo_config import Options, read_options
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["KEYSTONE_CONFIG", "CacheServer", "MemcacheConfig", "parse_server"]

KEYSTONE_CONFIG = Probe(
    "keystone.config",
    files=(
        "/etc/keystone/keystone.conf",
        "/var/lib/config-data/puppet-generated/keystone/etc/keystone/keystone.conf",
        "/etc/kolla/keystone/keystone.conf",
    ),
    root=True,
    settings=True,
)
PLACES = (
    ("keystone_authtoken", "memcached_servers", "memcache_servers"),
    ("cache", "memcache_servers"),
    ("memcache", "servers"),
)
PORT = 11211


@dataclass(frozen=True)
class CacheServer:
    """One server that ``service`` is told to use."""

    service: str
    host: str
    port: int
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class MemcacheConfig:
    """The servers that nova and keystone on this node use; other services have the same as a rule."""

    servers: tuple[CacheServer, ...]
    probes: ClassVar[tuple[Probe, ...]] = (NOVA_CONFIG, KEYSTONE_CONFIG)

    def __iter__(self) -> Iterator[CacheServer]:
        return iter(self.servers)

    @classmethod
    def parse(cls, results: NodeResults) -> MemcacheConfig:
        """The servers.  Raises NotApplicable where neither has a file, or CouldNotCheck."""
        found: list[CacheServer] = []
        missing: list[str] = []
        unread: list[str] = []
        for service, probe in (("nova", NOVA_CONFIG), ("keystone", KEYSTONE_CONFIG)):
            try:
                found += _servers(service, read_options(results, probe))
            except NotApplicable as error:
                missing.append(str(error))
            except CouldNotCheck as error:
                unread.append(str(error))
        if len(missing) + len(unread) == 2:
            raise CouldNotCheck("; ".join(unread)) if unread else NotApplicable("; ".join(missing))
        return cls(tuple(found))


def _servers(service: str, options: Options) -> Iterator[CacheServer]:
    for section, *names in PLACES:
        for word in options.get(section, *names).split(","):
            server = parse_server(word.strip())
            if server is not None:
                yield CacheServer(service, *server, options.shown(section, *names))


def parse_server(word: str) -> tuple[str, int] | None:
    """Host and port of one server; None for a socket's path or nothing.

    >>> parse_server("192.0.2.11:11211"), parse_server("inet6:[2001:db8::1]:11212"), parse_server("ctl1")
    (('192.0.2.11', 11211), ('2001:db8::1', 11212), ('ctl1', 11211))
    """
    word = word.removeprefix("inet6:").removeprefix("inet:")
    if not word or word.startswith(("/", "unix:")):
        return None
    if word.startswith("["):
        host, _, port = word[1:].partition("]")
        port = port.removeprefix(":")
    elif word.count(":") > 1:
        host, port = word, ""
    else:
        host, _, port = word.partition(":")
    if port and not (port.isascii() and port.isdigit() and len(port) < 6):
        return None
    return host, int(port or PORT)
