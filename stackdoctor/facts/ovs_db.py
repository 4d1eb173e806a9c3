"""Open vSwitch as its database has it: bridges, ports, interfaces (man ovs-vswitchd.conf.db(5)).

All tables come from one transaction of ``ovs-vsctl``, each as one line of JSON:

>>> table('{"headings": ["name", "tag"], "data": [["tap30d5603c-42", 1], ["br-int", ["set", []]]]}')
({'name': 'tap30d5603c-42', 'tag': 1}, {'name': 'br-int', 'tag': None})

Neutron's agent writes ``tag`` and ``other_config`` of a Port (ovs_neutron_agent.py, ``port_bound``), Nova's os-vif
``external_ids`` of an Interface (``iface-id`` is the Neutron port's id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import output
from stackdoctor.facts.ovs_ports import OvsBridge, OvsInterface, OvsPort
from stackdoctor.facts.ovs_rows import Row, flag, mapping, members, table, whole, word
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = ["AGAIN", "OVS_CONTAINER", "OVS_DB", "VSCTL", "OpenvSwitch"]

# --dry-run and --no-wait: it could not write if it wanted to, and waits for no daemon
VSCTL = ("ovs-vsctl", "--dry-run", "--no-wait", "--timeout=5")
OVS_CONTAINER = r"openvswitch|ovs"
AGAIN = "#2"

BRIDGE = "--columns=_uuid,name,ports,fail_mode,datapath_type"
PORT = "--columns=_uuid,name,interfaces,tag,trunks,vlan_mode,other_config"
INTERFACE = "--columns=_uuid,name,type,ofport,error,link_state,mac_in_use,mtu,external_ids,options,status"

OVS_DB = Probe(
    "ovs.db",
    (
        *(*VSCTL, "--format=json"),
        *("--", BRIDGE, "list", "Bridge"),
        *("--", PORT, "list", "Port"),
        *("--", INTERFACE, "list", "Interface"),
        *("--", "list", "Open_vSwitch"),
    ),
    root=True,
    container=OVS_CONTAINER,
    timeout=15.0,
    cap=16 * 1024 * 1024,
    again_after=3.0,  # a port that is being plugged has no tag for a moment
)

INTEGRATION, TUNNEL = "br-int", "br-tun"


@dataclass(frozen=True)
class OpenvSwitch:
    """Open vSwitch on one node.  ``other_config`` and ``external_ids`` are those of the whole switch.

    ``dpdk`` says whether DPDK was initialized (None before 2.10, which does not tell); ``settled`` are the names of
    the ports that a second look, some seconds later, saw with the same tag and error; None where there was none.
    """

    bridges: tuple[OvsBridge, ...]
    other_config: Mapping[str, str]
    external_ids: Mapping[str, str]
    version: str
    dpdk: bool | None
    settled: frozenset[str] | None
    evidence: Evidence
    dpdk_evidence: Evidence = field(default=Evidence("", "", ""))
    probes: ClassVar[tuple[Probe, ...]] = (OVS_DB,)

    @classmethod
    def parse(cls, results: NodeResults) -> OpenvSwitch:
        """The switch; raises NotApplicable without it, CouldNotCheck (no database answers) or ParseError."""
        result = results.one(OVS_DB)
        bridges, root = _tables(results, result)
        config = mapping(root, "other_config")
        said = " ".join(f"{key}={value}" for key, value in config.items() if key.startswith(("dpdk-", "pmd-")))
        dpdk = flag(root, "dpdk_initialized")
        shown = f"other_config {{{said}}} dpdk_initialized {'not told' if dpdk is None else str(dpdk).lower()}"
        return cls(
            bridges,
            config,
            mapping(root, "external_ids"),
            word(root, "ovs_version"),
            dpdk,
            _settled(results, bridges),
            results.evidence(result, f"{len(bridges)} bridges: {', '.join(b.name for b in bridges[:20])}"),
            results.evidence(result, shown),
        )

    @property
    def ovn(self) -> bool:
        """Whether OVN makes its flows: then ports have no tag, and no agent of Neutron wires them."""
        return "ovn-remote" in self.external_ids or any("ovn-installed" in i.external_ids for i in self.interfaces)

    @property
    def interfaces(self) -> tuple[OvsInterface, ...]:
        """All interfaces."""
        return tuple(i for bridge in self.bridges for port in bridge.ports for i in port.interfaces)

    @property
    def ports(self) -> tuple[OvsPort, ...]:
        """All ports."""
        return tuple(port for bridge in self.bridges for port in bridge.ports)

    @property
    def integration(self) -> OvsBridge | None:
        """The bridge that Neutron's ports are on: br-int, or what ``integration_bridge`` calls it."""
        named = self.bridge(INTEGRATION)
        if named is not None:
            return named
        return next((b for b in self.bridges if any(p.network or p.name == "patch-tun" for p in b.ports)), None)

    @property
    def tunnels(self) -> OvsBridge | None:
        """The bridge that tunnels start from: br-tun, or where the patch from the integration bridge leads."""
        named = self.bridge(TUNNEL)
        if named is not None:
            return named
        inner = self.integration
        patch = inner.port("patch-tun") if inner else None
        far = self.patched(patch) if patch else None
        return self.bridge(far.bridge) if far else None

    @cached_property
    def _by_name(self) -> Mapping[str, OvsPort]:
        return {port.name: port for port in self.ports}

    @cached_property
    def _by_id(self) -> Mapping[str, OvsPort]:
        return {port.port_id: port for port in self.ports if port.port_id}

    def bridge(self, name: str) -> OvsBridge | None:
        """The bridge called ``name``."""
        return next((b for b in self.bridges if b.name == name), None)

    def port(self, name: str) -> OvsPort | None:
        """The port called ``name``, on whatever bridge."""
        return self._by_name.get(name)

    def of_neutron(self, port_id: str) -> OvsPort | None:
        """The port of a Neutron port."""
        return self._by_id.get(port_id)

    def patched(self, port: OvsPort) -> OvsPort | None:
        """The other end of a patch port."""
        peer = port.interface.options.get("peer", "") if port.interface else ""
        return self._by_name.get(peer)

    def outward(self) -> tuple[tuple[OvsPort, OvsPort | None], ...]:
        """The patch ports of the integration bridge that lead to another bridge, each with its other end."""
        inner = self.integration
        return tuple((p, self.patched(p)) for p in inner.ports if p.kind == "patch") if inner else ()


Tables = tuple[tuple[OvsBridge, ...], Row]


def _tables(results: NodeResults, result: Result) -> Tables:
    lines = [line for line in output(result).splitlines() if line.strip()]
    if len(lines) != 4:
        raise ParseError(f"{len(lines)} tables of Open vSwitch in place of 4")
    bridges, ports, interfaces, roots = (table(line) for line in lines)
    if not roots:
        raise NotApplicable("the database of Open vSwitch is empty: nothing uses it")
    by_id = {word(row, "_uuid"): _interface(results, result, row) for row in interfaces}
    port_rows = {word(row, "_uuid"): row for row in ports}
    return tuple(_bridge(results, result, row, port_rows, by_id) for row in bridges), roots[0]


def _bridge(
    results: NodeResults, result: Result, row: Row, ports: Mapping[str, Row], interfaces: Mapping[str, OvsInterface]
) -> OvsBridge:
    name = word(row, "name")
    own = tuple(_port(results, result, name, ports[id_], interfaces) for id_ in members(row, "ports") if id_ in ports)
    fail, datapath = word(row, "fail_mode"), word(row, "datapath_type")
    line = f"Bridge {name} fail_mode {fail or 'not set'} datapath_type {datapath or 'system'} ports {len(own)}"
    return OvsBridge(name, datapath, fail, own, results.evidence(result, line))


def _port(
    results: NodeResults, result: Result, bridge: str, row: Row, interfaces: Mapping[str, OvsInterface]
) -> OvsPort:
    name, tag, mode = word(row, "name"), whole(row, "tag"), word(row, "vlan_mode")
    own = tuple(interfaces[id_] for id_ in members(row, "interfaces") if id_ in interfaces)
    other = mapping(row, "other_config")
    words = [f"Bridge {bridge} Port {name} tag {'[]' if tag is None else tag}"]
    words += [f"vlan_mode {mode}"] if mode else []
    words += [f"{key}={other[key]}" for key in ("net_uuid", "network_type", "segmentation_id") if key in other]
    words += [f'error "{i.error}"' for i in own if i.error]
    return OvsPort(name, bridge, tag, mode, own, other, results.evidence(result, " ".join(words)))


def _interface(results: NodeResults, result: Result, row: Row) -> OvsInterface:
    name, kind, ofport, error = word(row, "name"), word(row, "type"), whole(row, "ofport"), word(row, "error")
    external, options = mapping(row, "external_ids"), mapping(row, "options")
    words = [f"Interface {name}", *([f"type {kind}"] if kind else []), f"ofport {'[]' if ofport is None else ofport}"]
    words += [f"{key}={external[key]}" for key in ("iface-id", "attached-mac") if key in external]
    words += [f"{key}={options[key]}" for key in ("peer", "local_ip", "remote_ip", "dpdk-devargs") if key in options]
    words += [f'error "{error}"'] if error else []
    return OvsInterface(
        name,
        kind,
        ofport,
        error,
        word(row, "link_state"),
        word(row, "mac_in_use"),
        whole(row, "mtu"),
        external,
        options,
        mapping(row, "status"),
        results.evidence(result, " ".join(words)),
    )


def _settled(results: NodeResults, bridges: tuple[OvsBridge, ...]) -> frozenset[str] | None:
    """The ports that are the same in the second answer; None where there was none that can be read."""
    again = results.results.get((OVS_DB.id, AGAIN))
    if again is None or again.status is not Status.RAN or again.exit:
        return None
    try:
        later, _ = _tables(results, again)
    except (CouldNotCheck, NotApplicable):
        return None
    second = {_state(port) for bridge in later for port in bridge.ports}
    return frozenset(port.name for bridge in bridges for port in bridge.ports if _state(port) in second)


def _state(port: OvsPort) -> tuple[str, str, int | None, bool]:
    return port.bridge, port.name, port.tag, any(i.failed for i in port.interfaces)
