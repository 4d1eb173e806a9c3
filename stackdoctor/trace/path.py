"""The way of a guest's packets to its DHCP server, its gateway, the metadata service or another port, hop by hop.

The walk starts at both ends and goes on behind a broken hop: what should come next is known from the names that
Neutron derives from ids, from libvirt's XML and from the other end, so that a second fault is found as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stackdoctor.errors import UsageError
from stackdoctor.trace.endpoints import Endpoint, endpoints, find, same_network
from stackdoctor.trace.filtering import METADATA, Exchange, dhcp, metadata, ping, redirect_hop
from stackdoctor.trace.hops import BROKEN, OK, UNKNOWN, Hop, Proof
from stackdoctor.trace.segment import crossing
from stackdoctor.trace.servers import dnsmasq_hop, gateway_address, metadata_next_hop, proxy_hop, tenant_mtu
from stackdoctor.trace.wiring import Wiring

__all__ = ["GOALS", "Path", "paths"]

GOALS = ("dhcp", "gateway", "metadata")
PROXY_OF_DHCP = 80


@dataclass(frozen=True)
class Path:
    """The hops from ``start`` to ``goal``, in order, and at last what becomes of the answer.

    ``tenant`` is the largest packet that the guest sends, in bytes; None where nothing says it.  ``ends`` are the
    ports that it is sent to, one after the other: the goal's own, with a router's before it where one is in between.
    """

    start: str
    goal: str
    hops: tuple[Hop, ...]
    tenant: int | None
    ends: tuple[Endpoint, ...] = ()

    @property
    def end(self) -> int | None:
        """The place of the first hop that lets nothing pass; None if there is none."""
        return next((i for i, hop in enumerate(self.hops) if hop.status == BROKEN and not hop.narrow), None)

    @property
    def status(self) -> str:
        """``broken`` at a hop, else ``unknown`` at one, else ``ok``."""
        said = {hop.status for hop in self.hops}
        return BROKEN if BROKEN in said else UNKNOWN if UNKNOWN in said else OK

    @property
    def narrowest(self) -> tuple[int, Hop] | None:
        """The largest packet that passes every hop, and the first hop that lets no larger one through."""
        rooms = [(p.room, i, hop) for i, hop in enumerate(self.hops) for p in hop.proofs if p.room is not None]
        smallest = min(rooms, default=None, key=lambda room: room[:2])
        return (smallest[0], smallest[2]) if smallest else None

    @property
    def verdict(self) -> str:
        """One sentence: whether it is whole, or where it ends and why."""
        ends = [hop for hop in self.hops if hop.status == BROKEN and not hop.narrow]
        narrow = [hop for hop in self.hops if hop.narrow]
        unknown = [hop for hop in self.hops if hop.status == UNKNOWN]
        if ends:
            beyond = "; beyond it, also broken: " + "; ".join(map(_at, ends[1:])) if ends[1:] else ""
            before = [hop for hop in self.hops[: self.end] if hop.status == UNKNOWN]
            doubt = "; before it, not known: " + "; ".join(map(_at, before)) if before else ""
            return f"ends at {_at(ends[0])}{beyond}{doubt}"
        if narrow and self.narrowest:
            doubt = "; not known: " + "; ".join(map(_at, unknown)) if unknown else ""
            return f"packets over {self.narrowest[0]} bytes end at {_at(narrow[0])}; smaller ones pass{doubt}"
        if unknown:
            return "whole as far as can be seen; not known: " + "; ".join(map(_at, unknown))
        between = len({hop.node for hop in self.hops}) > 1
        return "whole" + (" on the nodes; what is between the nodes is not looked at" if between else "")


def _at(hop: Hop) -> str:
    return f"{hop}: {hop.fault}"


def paths(wiring: Wiring, start: Endpoint, to: str) -> tuple[Path, ...]:
    """The paths from ``start``: one to each of several DHCP servers, else one.

    ``to`` is one of ``GOALS`` or names another port as ``find`` takes it; raises UsageError.
    """
    known = endpoints(wiring)
    tenant = tenant_mtu(wiring, start)
    if to == "dhcp":
        servers = [end for end in known if end.owner == "dhcp" and same_network(end.network, start.network)]
        if any(_same(start, server) for server in servers):
            raise UsageError(f"{start} is a DHCP server itself: name a guest's port")
        every = tuple(_to_dhcp(wiring, start, server, tenant) for server in servers)
        return every or (_to_dhcp(wiring, start, None, tenant),)
    if to == "gateway":
        return (_to_gateway(wiring, start, known, tenant),)
    if to == "metadata":
        return (_to_metadata(wiring, start, known, tenant),)
    other = find(wiring, to)
    if _same(start, other):
        raise UsageError(f"{to!r} is where the path starts: name another port with --to")
    return (_to_port(wiring, start, other, known, tenant),)


def _same(one: Endpoint, other: Endpoint) -> bool:
    return (one.node, one.namespace, one.device, one.inner, one.mac) == (
        other.node,
        other.namespace,
        other.device,
        other.inner,
        other.mac,
    )


def _to_dhcp(wiring: Wiring, start: Endpoint, server: Endpoint | None, tenant: int | None) -> Path:
    exchange = dhcp(start, server)
    if server is None:
        goal = Hop("", "process", "DHCP server", (_missing(wiring, start, "serves DHCP for its network"),))
        return _path(start, "the DHCP server", (*_one_end(wiring, start, exchange, tenant), goal), tenant)
    out, back = crossing(wiring, start, server, exchange, tenant)
    hops = (*out, dnsmasq_hop(wiring.sites[server.node], server, start), *back)
    return _path(start, f"the DHCP server on {server.node}", hops, tenant, server)


def _one_end(wiring: Wiring, start: Endpoint, exchange: Exchange, tenant: int | None) -> tuple[Hop, ...]:
    out, _ = crossing(wiring, start, None, exchange, tenant)
    return out


def _to_gateway(wiring: Wiring, start: Endpoint, known: Iterable[Endpoint], tenant: int | None) -> Path:
    address = gateway_address(wiring, start.network)
    router = _router(known, start, address)
    exchange = ping(start, router, address)
    goal = f"the gateway {address}".rstrip()
    if router is None:
        hop = Hop("", "interface", goal, (_missing(wiring, start, f"has {address or 'a router of its network'}"),))
        return _path(start, goal, (*_one_end(wiring, start, exchange, tenant), hop), tenant)
    out, back = crossing(wiring, start, router, exchange, tenant, address)
    return _path(start, f"{goal} ({router})", (*out, *back), tenant, router)


def _router(known: Iterable[Endpoint], start: Endpoint, address: str) -> Endpoint | None:
    """The router's interface: with the gateway's address, that is the active one; on the guest's own node if there."""
    found = [end for end in known if end.owner == "router" and same_network(end.network, start.network)]
    found.sort(key=lambda end: (address not in end.addresses, not end.addresses, end.node != start.node))
    return found[0] if found else None


def _to_metadata(wiring: Wiring, start: Endpoint, known: tuple[Endpoint, ...], tenant: int | None) -> Path:
    goal = f"the metadata service {METADATA}"
    hop_address = metadata_next_hop(wiring, start.network)
    in_dhcp = [
        end
        for end in known
        if end.owner == "dhcp" and same_network(end.network, start.network) and hop_address in end.addresses
    ]
    proxy = in_dhcp[0] if in_dhcp else _router(known, start, hop_address)
    exchange = metadata(start, proxy)
    if proxy is None:
        hop = Hop("", "process", "metadata proxy", (_missing(wiring, start, "has a router of its network"),))
        return _path(start, goal, (*_one_end(wiring, start, exchange, tenant), hop), tenant)
    site = wiring.sites[proxy.node]
    out, back = crossing(wiring, start, proxy, exchange, tenant, hop_address)
    if in_dhcp:
        return _path(start, goal, (*out, proxy_hop(site, proxy.namespace, PROXY_OF_DHCP), *back), tenant, proxy)
    redirect, port = redirect_hop(site, proxy, exchange.request)
    served = (redirect, proxy_hop(site, proxy.namespace, port)) if port else (redirect,)
    return _path(start, goal, (*out, *served, *back), tenant, proxy)


def _to_port(wiring: Wiring, start: Endpoint, other: Endpoint, known: tuple[Endpoint, ...], tenant: int | None) -> Path:
    exchange = ping(start, other)
    if same_network(start.network, other.network) or not (start.network and other.network):
        out, back = crossing(wiring, start, other, exchange, tenant)
        return _path(start, str(other), (*out, *back), tenant, other)
    routers = [end for end in known if end.owner == "router"]
    for near in routers:
        for far in routers:
            if (near.node, near.namespace) == (far.node, far.namespace) and (
                same_network(near.network, start.network) and same_network(far.network, other.network)
            ):
                return _routed(wiring, start, near, far, other, tenant)
    hop = Hop("", "router", "router", (_missing(wiring, start, f"joins its network with that of {other}"),))
    return _path(start, str(other), (*_one_end(wiring, start, exchange, tenant), hop), tenant)


def _routed(
    wiring: Wiring, start: Endpoint, near: Endpoint, far: Endpoint, other: Endpoint, tenant: int | None
) -> Path:
    """Over a router: the frames' addresses are those of its interfaces on either side."""
    whole = ping(start, other)
    first = replace(
        whole, request=replace(whole.request, dst_mac=near.mac), answer=replace(whole.answer, src_mac=near.mac)
    )
    second = replace(
        whole, request=replace(whole.request, src_mac=far.mac), answer=replace(whole.answer, dst_mac=far.mac)
    )
    out, last = crossing(wiring, start, near, first, tenant)
    on, back = crossing(wiring, far, other, second, tenant)
    return _path(start, f"{other} over {near.namespace}", (*out, *on, *back, *last), tenant, near, other)


def _missing(wiring: Wiring, start: Endpoint, what: str) -> Proof:
    """Why the other end is not known: what is not there may be on a node, or in a namespace, that was not seen."""
    if not start.network:
        return Proof(None, "the network of the port is not known: no bridge, namespace or DHCP server names it")
    unseen = [f"{node} was not looked at ({why})" for node, why in wiring.not_seen.items()]
    unseen += [f"{name} on {site.name}: {why}" for site in wiring.sites.values() for name, why in site.closed.items()]
    more = f": {'; '.join(unseen[:3])}" + ("; ..." if len(unseen) > 3 else "") if unseen else ""
    return Proof(None, f"none of the nodes looked at {what}{more}")


def _path(start: Endpoint, goal: str, hops: tuple[Hop, ...], tenant: int | None, *ends: Endpoint) -> Path:
    return Path(str(start), goal, hops, tenant, ends)
