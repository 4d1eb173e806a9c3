"""The programs at the end of a path: dnsmasq, and the metadata proxy in a router's or a DHCP server's namespace."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.facts.dnsmasq import DhcpNetwork, Dnsmasq
from stackdoctor.facts.namespaces import Listeners
from stackdoctor.trace.endpoints import Endpoint
from stackdoctor.trace.filtering import METADATA
from stackdoctor.trace.hops import Hop, Proof
from stackdoctor.trace.wiring import Site, Wiring

__all__ = ["dnsmasq_hop", "gateway_address", "metadata_next_hop", "proxy_hop", "tenant_mtu"]


def dnsmasq_hop(site: Site, server: Endpoint, guest: Endpoint) -> Hop:
    """That dnsmasq of the network runs, listens, and has an address for the guest; without one it does not answer."""
    return Hop(site.name, "process", "dnsmasq", tuple(_dnsmasq(site, server, guest)))


def _dnsmasq(site: Site, server: Endpoint, guest: Endpoint) -> Iterator[Proof]:
    served = site.fact(Dnsmasq)
    network = served.network(server.network) if served else None
    if served is None or network is None:
        unknown = served is None and site.could_have(Dnsmasq)
        yield Proof(None if unknown else False, site.why_not(Dnsmasq) if unknown else "none serves this network")
        return
    process = network.process
    if process is not None:
        stopped = process.state[:1] in ("T", "t", "Z", "X")
        text = f"pid {process.pid} is {'stopped' if process.state[:1] in 'Tt' else 'dead'}"
        yield Proof(not stopped, text if stopped else f"pid {process.pid}", process.evidence)
    elif served.processes is None:
        yield Proof(None, f"whether it runs is not known: {served.absent}")
    else:
        last = f" (it was pid {network.pid})" if network.pid else ""
        yield Proof(False, f"it does not run for this network{last}", network.evidence)
    yield from _listens(site, server.namespace, 67, "udp", process is not None)
    if guest.mac:
        host = network.host(guest.mac)
        if host is not None:
            yield Proof(True, f"{host.addresses[0]} reserved", host.evidence)
        else:
            yield Proof(False, f"it has no address for {guest.mac} and does not answer", network.evidence)


def _listens(site: Site, namespace: str, port: int, protocol: str, running: bool = True) -> Iterator[Proof]:
    known = site.fact(Listeners)
    if known is None or namespace in known.absent:
        why = known.absent[namespace] if known else site.why_not(Listeners)
        yield Proof(None, f"whether it listens is not known: {why}")
        return
    at = [s for s in known.within(namespace) if (s.port, s.protocol) == (port, protocol)]
    if at:
        yield Proof(True, f"listens on {protocol} {port}", at[0].evidence)
    elif running:
        yield Proof(False, f"nothing listens on {protocol} {port} in {namespace}")


def proxy_hop(site: Site, namespace: str, port: int) -> Hop:
    """That the metadata proxy (haproxy) listens in the namespace."""
    return Hop(site.name, "process", "metadata proxy", tuple(_listens(site, namespace, port, "tcp")))


def metadata_next_hop(wiring: Wiring, network: str) -> str:
    """The address that guests send requests for metadata to, as their DHCP server tells them; empty if it does not.

    The route of 169.254.169.254 if there is one (RFC 3442), else the default router.
    """
    for _, served in wiring.dhcp_networks():
        if network and served.network_id.startswith(network):
            return _route_to_metadata(served)
    return ""


def _route_to_metadata(served: DhcpNetwork) -> str:
    for option in served.options:
        if option.option in ("classless-static-route", "121") and f"{METADATA}/32" in option.values:
            at = option.values.index(f"{METADATA}/32") + 1
            return option.values[at] if at < len(option.values) else ""
    return next((o.values[0] for o in served.options if o.option in ("router", "3") and o.values), "")


def gateway_address(wiring: Wiring, network: str) -> str:
    """The default router that a network's guests are told by DHCP; empty if they are told none."""
    for _, served in wiring.dhcp_networks():
        if network and served.network_id.startswith(network):
            return next((o.values[0] for o in served.options if o.option in ("router", "3") and o.values), "")
    return ""


def tenant_mtu(wiring: Wiring, guest: Endpoint) -> int | None:
    """The largest packet that a guest may send: what DHCP told it, else what libvirt gave its card, else its tap's."""
    for _, served in wiring.dhcp_networks():
        if guest.network and served.network_id.startswith(guest.network) and served.process and served.process.mtu:
            return served.process.mtu
    if guest.card is not None and guest.card.mtu:
        return guest.card.mtu
    site = wiring.sites.get(guest.node)
    link = (site.link(guest.inner, guest.namespace) if guest.inner else site.link(guest.device)) if site else None
    return link.mtu if link else None
