"""`stackdoctor test` of networks: dhcp, ping, mtu, metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.active_places import Start, asked, namespaces, start_of, target_of, test_options, wiring_of
from stackdoctor.cli.consent import need_consent
from stackdoctor.cli.look import Looking
from stackdoctor.cli.outcome_page import tell
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.active.outcome import Outcome
    from stackdoctor.facts.dnsmasq import DhcpNetwork
    from stackdoctor.trace.wiring import Wiring

__all__ = ["dhcp", "metadata", "mtu", "ping"]

start_option = click.option(
    "--from",
    "place",
    default="qdhcp",
    show_default=True,
    metavar="qdhcp|qrouter|NODE|NODE:NAMESPACE",
    help="From where.",
)
PROXY_PORT = "9697"


@click.command("ping")
@click.argument("what", metavar="PORT|IP")
@start_option
@click.option("--count", type=click.IntRange(1, 50), default=5, show_default=True, help="Echo requests.")
@test_options
def ping(what: str, place: str, count: int, form: str, quiet: bool, yes: bool, **where: Any) -> int:
    """Ping a port or an address from its network's DHCP server, as operators do by hand, and ask ARP besides."""
    from stackdoctor.active.programs import probe_of
    from stackdoctor.active.reach import ping_outcome

    looking = Looking(quiet=quiet, **where)
    wiring = wiring_of(looking)
    address, end = target_of(wiring, what)
    start = start_of(wiring, end, place)
    need_consent([f"send {count} echo requests and up to 3 ARP requests to {address} from {start}"], yes)
    probe = probe_of("test.ping", "ping", ("ping", address, str(count)), count * 1.3 + 10, start.namespace)
    return _one("ping", looking, start, probe, lambda answer: ping_outcome(str(start), address, answer), form)


@click.command("mtu")
@click.argument("what", metavar="PORT|IP")
@start_option
@click.option("--underlay", is_flag=True, help="Between the two nodes' tunnel ends instead of to the guest.")
@test_options
def mtu(what: str, place: str, underlay: bool, form: str, quiet: bool, yes: bool, **where: Any) -> int:
    """Find the largest packet that gets to a port and back with Don't Fragment set.

    From its network's DHCP server to the guest, or with --underlay from that server's node to the guest's node
    outside of the tunnel, where a packet must be 50 bytes larger than the network's MTU.
    """
    from stackdoctor.active.programs import probe_of
    from stackdoctor.active.reach import mtu_outcome

    looking = Looking(quiet=quiet, **where)
    wiring = wiring_of(looking)
    address, end = target_of(wiring, what)
    start = start_of(wiring, end, place)
    needed, why = 0, ""
    if underlay:
        start, address, needed, why = _underlay(wiring, end, start)
    need_consent([f"send at most 30 echo requests of up to the interface's MTU to {address} from {start}"], yes)
    probe = probe_of("test.mtu", "ping", ("mtu", address, "0"), 55, start.namespace)
    return _one("mtu", looking, start, probe, lambda a: mtu_outcome(str(start), address, a, needed, why), form)


def _underlay(wiring: Wiring, end: Any, start: Start) -> tuple[Start, str, int, str]:
    """The start's node, the other node's tunnel address, the size that is needed and why."""
    from stackdoctor.active.reach import VXLAN_OVERHEAD
    from stackdoctor.facts.neutron_names import bridge

    if end is None or not end.node or end.node == start.node:
        raise UsageError("the two ends are on one node, or the port's node is not known: there is no tunnel between")
    name = bridge(end.network)
    here, there = wiring.sites[start.node], wiring.sites[end.node]
    tunnel = next((link for link in here.uplinks(name) if link.vxlan is not None), None)
    other = next((link for link in there.uplinks(name) if link.vxlan is not None), None)
    if tunnel is None or other is None:
        raise UsageError(f"{name} has no VXLAN device on both nodes: only the way over VXLAN can be measured so")
    needed = (tunnel.mtu or 1450) + VXLAN_OVERHEAD
    return Start(start.node), there.tunnel_address(other), needed, f"{tunnel.name} has MTU {tunnel.mtu} and adds 50"


@click.command("metadata")
@click.argument("what", metavar="PORT|NETWORK")
@click.option("--from", "place", default="", metavar="qdhcp|qrouter|NODE:NAMESPACE", help="Only that proxy.")
@test_options
def metadata(what: str, place: str, form: str, quiet: bool, yes: bool, **where: Any) -> int:
    """Ask the metadata proxies of a network for anything, without an instance's identity.

    An answer, 404 as well, proves the proxy, neutron-metadata-agent and its question to Neutron. It does not
    prove Nova's metadata API, nor the guest's own way to the proxy: `stackdoctor path PORT --to metadata`.
    """
    from stackdoctor.active.outcome import Outcome, State
    from stackdoctor.active.programs import NotRun, answer_of, probe_of
    from stackdoctor.active.proxy import proxy_outcome

    looking = Looking(quiet=quiet, **where)
    wiring = wiring_of(looking)
    starts = _proxies(wiring, what, place)
    need_consent([f"send one HTTP request to the metadata proxy in {start}" for start, _, _ in starts], yes)
    probes: dict[str, list[Any]] = {}
    for start, address, port in starts:
        probe = probe_of(f"test.metadata.{start.namespace}", "fetch", (address, port), 42, start.namespace)
        probes.setdefault(start.node, []).append(probe)
    nodes = asked(looking, probes)
    outcomes: list[Outcome] = []
    for start, _, _ in starts:
        try:
            answer = answer_of(nodes[start.node], f"test.metadata.{start.namespace}")
            outcomes.append(proxy_outcome(str(start), answer))
        except NotRun as why:
            outcomes.append(Outcome(str(start), State.NOT_RUN, f"could not be run: {why}"))
    return tell("metadata", outcomes, form)


def _proxies(wiring: Wiring, what: str, place: str) -> list[tuple[Start, str, str]]:
    """Where the network's metadata proxies should listen: namespace, address and port."""
    from stackdoctor.trace.endpoints import endpoints, same_network

    network = _network_id(wiring, what)
    found: dict[Start, tuple[str, str]] = {}
    for end in endpoints(wiring):
        if not same_network(end.network, network) or not end.namespace:
            continue
        if end.owner == "dhcp" and "169.254.169.254" in end.addresses:
            found[Start(end.node, end.namespace)] = ("169.254.169.254", "80")
        elif end.owner == "router":
            found[Start(end.node, end.namespace)] = ("127.0.0.1", PROXY_PORT)
    wanted = [
        (start, *at)
        for start, at in found.items()
        if not place or start.namespace.startswith(place) or str(start) == place
    ]
    if not wanted:
        raise UsageError(
            f"no namespace of network {network} with a metadata proxy was found{' from ' + place if place else ''}"
        )
    return wanted


def _network_id(wiring: Wiring, what: str) -> str:
    """The network's id: named itself, or that of the port."""
    from stackdoctor.trace.endpoints import find

    served = {network.network_id for _, network in wiring.dhcp_networks()}
    served |= {s.namespace.removeprefix("qdhcp-") for s in namespaces(wiring) if s.namespace.startswith("qdhcp-")}
    named = [id_ for id_ in served if len(what) >= 6 and id_.startswith(what.removeprefix("qdhcp-").lower())]
    if len(named) == 1:
        return named[0]
    try:
        end = find(wiring, what)
    except UsageError as why:
        known = f"; networks are known by their ids: {', '.join(sorted(served)[:8])}" if served else ""
        raise UsageError(f"{why}{known}") from None
    if not end.network:
        raise UsageError(f"the network of {end} is not known: name the network")
    return next((id_ for id_ in served if id_.startswith(end.network)), end.network)


@click.command("dhcp")
@click.argument("what", metavar="NETWORK|PORT")
@click.option("--node", default="", help="The node to ask from; by default where the network is served.")
@click.option(
    "--seconds", type=click.IntRange(2, 30), default=5, show_default=True, help="How long offers are waited for."
)
@test_options
def dhcp(what: str, node: str, seconds: int, form: str, quiet: bool, yes: bool, **where: Any) -> int:
    """Ask a network's DHCP servers for an offer, without taking it, and say who answers.

    A DISCOVER goes into the network's bridge from a namespace that vanishes with its process. Neutron's dnsmasq
    offers only to MACs that it knows: with a port it is that port's, with a network that of its router, or of
    another port. It stands in the DHCP message only, not on the frame, so no switch takes it for the guest.
    """
    from stackdoctor.active.offers import dhcp_outcome
    from stackdoctor.active.programs import probe_of
    from stackdoctor.facts.neutron_names import bridge

    looking = Looking(quiet=quiet, **where)
    wiring = wiring_of(looking)
    network = _network_id(wiring, what)
    serving = [(site, served) for site, served in wiring.dhcp_networks() if served.network_id == network]
    mac, whose, listed = _station(wiring, what, network, [served for _, served in serving])
    name = bridge(network)
    sites = (
        [node]
        if node
        else [site.name for site, _ in serving] or [s.name for s in wiring.sites.values() if s.link(name)]
    )
    at = next((s for s in sites if s in wiring.sites and wiring.sites[s].link(name) is not None), "")
    if not at:
        raise UsageError(
            f"no node that was looked at has the bridge {name}: only networks on Linux bridges can be asked so"
        )
    expected = {}
    for site, served in serving:
        addresses = site.addresses(served.interface, f"qdhcp-{network}")
        known = [a for a in addresses if a != "169.254.169.254" and ":" not in a]
        expected[site.name] = known[0] if known else ""
    need_consent(
        [
            f"on {at}: make a namespace and a veth pair on {name}, both gone afterwards",
            f"send up to 3 DHCPDISCOVER there for {mac} ({whose}); no REQUEST, so no lease is made",
            "dnsmasq logs them; a server that gives addresses to anyone may keep what it offers for a minute",
        ],
        yes,
    )
    probe = probe_of("test.dhcp", "discover", (name, mac, str(seconds)), seconds + 20)
    place = f"{name} on {at}"
    asked_for = f"{mac} ({whose})"
    return _one("dhcp", looking, Start(at), probe, lambda a: dhcp_outcome(place, asked_for, expected, a, listed), form)


def _station(wiring: Wiring, what: str, network: str, serving: list[DhcpNetwork]) -> tuple[str, str, bool]:
    """The MAC to ask with, whose it is, and whether the network's servers owe it an offer."""
    from stackdoctor.trace.endpoints import endpoints, find, same_network

    if not network.startswith(what.removeprefix("qdhcp-").lower()):
        end = find(wiring, what)
        if not end.mac:
            raise UsageError(f"the MAC of {end} is not known")
        return end.mac, f"the port {end.title}", True
    ends = [end for end in endpoints(wiring) if same_network(end.network, network) and end.mac]
    own = {end.mac for end in ends if end.owner == "dhcp"}
    routers = [end.mac for end in ends if end.owner in ("router", "snat")]
    hosts = [host for served in serving for host in served.hosts if host.addresses]
    known = {host.mac: host.name for host in hosts if not any(":" in a for a in host.addresses)}
    for mac in routers:
        if mac in known:
            return mac, "the router's port", True
    for mac, name in known.items():
        if mac not in own:
            return mac, f"the port {name}", True
    return "02:00:00:00:00:01", "nobody's: no port is known to the servers, so only a foreign one would answer", False


def _one(test: str, looking: Looking, start: Start, probe: Any, judge: Any, form: str) -> int:
    """Run one probe at one place, and print what came of it."""
    from stackdoctor.active.outcome import Outcome, State
    from stackdoctor.active.programs import NotRun, answer_of

    nodes = asked(looking, {start.node: [probe]})
    try:
        outcome = judge(answer_of(nodes[start.node], probe.id))
    except NotRun as why:
        outcome = Outcome(str(start), State.NOT_RUN, f"could not be run: {why}")
    return tell(test, [outcome], form)
