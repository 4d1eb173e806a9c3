"""What the configuration of the OpenStack services of a node says where services must agree with each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import decimal, integer
from stackdoctor.facts.oslo_config import Option, parse_options
from stackdoctor.facts.transport_url import AMQP_PORT, Transport, parse_transport
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["PROJECTS", "ServiceConfig", "Settings"]

PROJECTS = (
    *("nova", "neutron", "cinder", "glance", "keystone", "heat", "placement", "ceilometer", "aodh"),
    *("manila", "magnum", "octavia", "designate", "ironic", "barbican"),
)
GENERATED = "/var/lib/config-data/puppet-generated"

# in the order in which the later file wins (oslo_config/cfg.py: --config-file, then --config-dir by name)
_FILES = tuple(
    path
    for project in PROJECTS
    for path in (
        *(f"/etc/{project}/{project}.conf", f"/etc/{project}/{project}-*.conf", f"/etc/{project}/*.conf.d/*.conf"),
        *(f"/etc/kolla/{project}*/{project}.conf", f"{GENERATED}/{project}*/etc/{project}/{project}.conf"),
    )
)
_PLUGINS = (
    *("/etc/neutron/*_agent.ini", "/etc/neutron/plugins/ml2/*.ini"),
    *("/etc/kolla/neutron*/*.ini", f"{GENERATED}/neutron*/etc/neutron/*_agent.ini"),
    f"{GENERATED}/neutron*/etc/neutron/plugins/ml2/*.ini",
)
_OWNER = re.compile(rf"(?:/etc/kolla|{GENERATED})/([^/]+)/")
_SECTION = "oslo_messaging_rabbit"


@dataclass(frozen=True)
class Settings:
    """The options of one program, or of all of a project's where they share the files.

    ``owner`` is the container's name where each has files of its own (Kolla, TripleO), else empty.  Passwords
    have been taken out on the node.
    """

    project: str
    owner: str
    options: Mapping[tuple[str, str], Option]
    evidence: Evidence

    def __str__(self) -> str:
        return self.owner or self.project

    def get(self, section: str, name: str, default: str = "") -> str:
        """The value of an option, ``default`` where it is not set."""
        option = self.options.get((section, name))
        return default if option is None else option.value

    def shown(self, section: str, name: str) -> Evidence:
        """The line that sets an option; the file where none does."""
        option = self.options.get((section, name))
        return self.evidence if option is None or option.evidence is None else option.evidence

    @property
    def transport(self) -> Transport | None:
        """Where the broker is; None where nothing is set, or in a way that cannot be read.

        To Rocky also by ``rabbit_host`` and its like in [oslo_messaging_rabbit] or [DEFAULT].
        """
        if url := self.get("DEFAULT", "transport_url"):
            try:
                return parse_transport(url)
            except ParseError:
                return None
        for section in (_SECTION, "DEFAULT"):
            port = integer(self.get(section, "rabbit_port")) or AMQP_PORT
            named = self.get(section, "rabbit_hosts") or self.get(section, "rabbit_host")
            hosts = []
            for word in (part.strip() for part in named.split(",") if part.strip()):
                host, colon, number = word.rpartition(":")
                hosts.append((host, integer(number) or port) if colon else (word, port))
            if hosts:
                user = self.get(section, "rabbit_userid", "guest")
                return Transport("rabbit", tuple(hosts), (user,), self.get(section, "rabbit_virtual_host", "/"))
        return None

    @property
    def transport_evidence(self) -> Evidence:
        """The line that says where the broker is."""
        names = [("DEFAULT", "transport_url"), *((s, n) for s in (_SECTION, "DEFAULT") for n in _OLD_NAMES)]
        return next((self.shown(*name) for name in names if name in self.options), self.evidence)

    @property
    def host(self) -> str:
        """The name under which the services of this node are registered; empty for the host's own."""
        return self.get("DEFAULT", "host")

    @property
    def my_ip(self) -> str:
        """The node's address as Nova and Cinder give it to others; empty for the one of the default route."""
        return self.get("DEFAULT", "my_ip")

    @property
    def rpc_response_timeout(self) -> float:
        """Seconds that a caller waits for an answer."""
        return decimal(self.get("DEFAULT", "rpc_response_timeout")) or 60.0

    @property
    def heartbeat(self) -> tuple[int, int]:
        """heartbeat_timeout_threshold in seconds, and heartbeat_rate: how often in that time it is looked."""
        threshold = integer(self.get(_SECTION, "heartbeat_timeout_threshold"))
        return 60 if threshold is None else threshold, integer(self.get(_SECTION, "heartbeat_rate")) or 2

    @property
    def global_physnet_mtu(self) -> int | None:
        """Neutron's MTU of physical networks; None where it is not set (1500)."""
        return integer(self.get("DEFAULT", "global_physnet_mtu"))

    @property
    def bridge_mappings(self) -> Mapping[str, str]:
        """Physical network to bridge, of the Open vSwitch agent ([ovs]) or the Linux bridge agent."""
        return _mapping(self.get("ovs", "bridge_mappings") or self.get("linux_bridge", "bridge_mappings"))

    @property
    def physical_interface_mappings(self) -> Mapping[str, str]:
        """Physical network to interface, of the Linux bridge agent."""
        return _mapping(self.get("linux_bridge", "physical_interface_mappings"))

    @property
    def local_ip(self) -> str:
        """This node's end of tunnels."""
        return self.get("vxlan", "local_ip") or self.get("ovs", "local_ip")

    @property
    def metadata_secret_set(self) -> bool:
        """Whether there is a metadata_proxy_shared_secret; which one stays on the node."""
        return any(self.get(s, "metadata_proxy_shared_secret") != "" for s in ("neutron", "DEFAULT"))


_OLD_NAMES = ("rabbit_hosts", "rabbit_host")


def _mapping(value: str) -> Mapping[str, str]:
    pairs = (word.partition(":") for word in value.split(","))
    return {key.strip(): name.strip() for key, colon, name in pairs if colon}


@dataclass(frozen=True)
class ServiceConfig:
    """The configuration of all services of a node; ``unread`` are files that may not be read, and why."""

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("services.config", files=(*_FILES, *_PLUGINS), root=True, cap=512 * 1024, settings=True),
    )

    rows: tuple[Settings, ...]
    unread: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Settings]:
        return iter(self.rows)

    @property
    def gaps(self) -> tuple[tuple[str, str], ...]:
        """The files that could not be read."""
        return tuple(("config.*", reason) for reason in self.unread)

    def of(self, service: str) -> Settings | None:
        """The settings of ``service``: those of its own container, or of its project."""
        named = service.replace("-", "_")
        own = next((s for s in self.rows if s.owner and s.owner.replace("-", "_") == named), None)
        project = service.partition("-")[0]
        return own or next((s for s in self.rows if not s.owner and s.project == project), None)

    @classmethod
    def parse(cls, results: NodeResults) -> ServiceConfig:
        """The settings.  Raises NotApplicable on a node without any, CouldNotCheck where none may be read."""
        probe = cls.probes[0]
        usable = results.usable(probe)
        unread = tuple(
            f"{r.command}: {r.reason or r.status.value}"
            for r in results.every(probe)
            if r.status not in (Status.RAN, Status.MISSING)
        )
        grouped: dict[tuple[str, str], dict[tuple[str, str], Option]] = {}
        first: dict[tuple[str, str], Evidence] = {}
        for result in sorted(usable, key=lambda r: _rank(r.subject)):
            key = _project(result.subject), _owner(result.subject)
            first.setdefault(key, results.evidence(result, ""))
            for name, option in parse_options(result.text).items():
                evidence = results.evidence(result, option.line)
                grouped.setdefault(key, {})[name] = Option(
                    option.section, option.name, option.values, option.line, evidence
                )
        return cls(tuple(Settings(*key, grouped.get(key, {}), first[key]) for key in first), unread)


def _rank(path: str) -> tuple[int, str]:
    """PROJECT.conf, then the program's own file, then folders, then plug-ins, as services are started with them."""
    name = path.rpartition("/")[2]
    if ".conf.d/" in path:
        return 2, path
    return (3 if name.endswith(".ini") else 0 if name == f"{_project(path)}.conf" else 1), path


def _project(path: str) -> str:
    match = _OWNER.match(path)
    word = match[1] if match else path.removeprefix("/etc/").partition("/")[0]
    return re.split(r"[-_/]", word, maxsplit=1)[0]


def _owner(path: str) -> str:
    match = _OWNER.match(path)
    return match[1] if match else ""
