"""Finding a port of the cloud by whatever an operator has at hand: an id, a tap, an instance, an address."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from stackdoctor.errors import UsageError
from stackdoctor.facts.addresses import Addresses
from stackdoctor.facts.bridges import BridgeNetfilter
from stackdoctor.facts.dnsmasq import Dnsmasq
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.links import Links
from stackdoctor.facts.neutron_names import network_prefix_of, port_prefix_of
from stackdoctor.firewall.ports import BridgedPort, PortFilter, bridged_ports, read
from stackdoctor.model import NodeResults

__all__ = ["CloudPort", "every_port", "find_port"]

SHORTEST = 4
LISTED = 10
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{0,27}|[0-9a-f]{4,8}")


@dataclass(frozen=True)
class CloudPort:
    """A port, where its device is, and its addresses (IPv4 and IPv6, without prefix length) as far as known."""

    place: BridgedPort
    addresses: tuple[str, ...]

    def __str__(self) -> str:
        place = self.place
        words = (place.nova_name, place.instance, place.mac, *self.addresses)
        return f"{place.device} on {place.node} ({', '.join(word for word in words if word)})".replace(" ()", "")

    @property
    def names(self) -> tuple[str, ...]:
        """All that it is called, lower case."""
        place = self.place
        words = (
            f"{place.node}:{place.device}",
            place.device,
            place.port,
            place.mac,
            place.server_id,
            place.instance,
            place.nova_name,
            *self.addresses,
        )
        return tuple(word.lower() for word in words if word)


def every_port(nodes: Iterable[NodeResults]) -> tuple[CloudPort, ...]:
    """The ports whose device was seen on a node; addresses are those that DHCP has, else that Neutron lets in."""
    nodes = tuple(nodes)
    offered = _offered(nodes)
    return tuple(port for node in nodes for port in _ports_on(node, offered))


def _ports_on(results: NodeResults, offered: Mapping[str, list[tuple[str, str]]]) -> Iterator[CloudPort]:
    links, guarded, addresses = read(Links, results), read(PortFilter, results), read(Addresses, results)
    places = guarded.ports if guarded else ()
    if guarded is None:
        netfilter = read(BridgeNetfilter, results)
        places = bridged_ports(results.node.name, links, read(Domains, results), netfilter)
    inside = {port_prefix_of(link.name): link for link in links.links if link.namespace} if links else {}
    for place in places:
        inner = inside.get(place.port)
        if inner is not None and not place.guest:
            own = addresses.on(inner.name, inner.namespace) if addresses else ()
            yield CloudPort(replace(place, mac=inner.mac), tuple(a.ip for a in own if a.scope != "link"))
            continue
        network = network_prefix_of(place.bridge) or ""
        served = tuple(ip for ip, net in offered.get(place.mac, ()) if net.startswith(network))
        yield CloudPort(place, served or tuple(_allowed(guarded, place)))


def _offered(nodes: Iterable[NodeResults]) -> Mapping[str, list[tuple[str, str]]]:
    """Addresses and networks in the host files of DHCP, by MAC."""
    found: dict[str, dict[tuple[str, str], None]] = {}
    for node in nodes:
        dnsmasq = read(Dnsmasq, node)
        for network in dnsmasq.networks if dnsmasq else ():
            for host in network.hosts:
                found.setdefault(host.mac, {}).update(dict.fromkeys((ip, network.network_id) for ip in host.addresses))
    return {mac: list(each) for mac, each in found.items()}


def _allowed(guarded: PortFilter | None, place: BridgedPort) -> Iterator[str]:
    """The single addresses that the port's anti-spoofing chain allows."""
    chain = guarded.chain(place, "s") if guarded is not None else None
    for rule in chain.rules if chain is not None else ():
        for match in rule.matches if rule.target == "RETURN" else ():
            for option in match.options:
                if option.name == "-s" and option.values and not option.negated and option.values[0].endswith("/32"):
                    yield option.values[0].removesuffix("/32")


def find_port(ports: Iterable[CloudPort], wanted: str) -> CloudPort:
    """The port that ``wanted`` names.

    A port's id or the beginning of it, a tap, an instance's id or name (libvirt's or Nova's), an IP or a MAC
    address, or NODE:TAP.  Raises UsageError that lists the ports where it names several, and near ones where none.
    """
    ports = tuple(ports)
    name = wanted.strip().lower()
    found = [port for port in ports if name in port.names]
    if not found and len(name) >= SHORTEST and _ID.fullmatch(name):
        found = [port for port in ports if _begins(port.place, name)]
    if len(found) > 1:
        # While a guest moves, both nodes have its tap; the one that runs is where its packets go.
        running = [port for port in found if port.place.running]
        found = running if len({port.place.device for port in found}) == 1 and len(running) == 1 else found
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{wanted!r} names {len(found)} ports: {_listed(found)}; name one by NODE:TAP")
    if not ports:
        raise UsageError(f"no port {wanted!r}: no tap of an instance, DHCP server or router was seen on any node")
    close = difflib.get_close_matches(name, [n for port in ports for n in port.names], 3, 0.5)
    near = [port for port in ports if set(close).intersection(port.names)]
    raise UsageError(f"no port {wanted!r}: {'did you mean' if near else 'there are'} {_listed(near or ports)}")


def _begins(place: BridgedPort, name: str) -> bool:
    """Whether an id, or its beginning, is the port's (of which 11 characters are known) or its instance's."""
    by_port = bool(place.port) and (place.port.startswith(name) or name.startswith(place.port))
    return by_port or (bool(place.server_id) and place.server_id.startswith(name))


def _listed(ports: Iterable[CloudPort]) -> str:
    names = [str(port) for port in ports]
    more = f"; and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return "; ".join(names[:LISTED]) + more
