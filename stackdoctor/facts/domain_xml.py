"""The parts of a libvirt domain's XML that Nova, Neutron and Cinder decide (libvirt.org/formatdomain.html).

>>> xml = '''<domain type='qemu' id='3'><name>instance-00000006</name><devices><interface type='bridge'>
... <mac address='fa:16:3e:1c:77:97'/><source bridge='brq8af4f28b-a6'/><target dev='tap30d5603c-42'/>
... <mtu size='1450'/></interface></devices></domain>'''
>>> parse_domain(xml, lambda line: Evidence("", "", line)).interfaces[0].evidence.line
'interface bridge mac fa:16:3e:1c:77:97 target tap30d5603c-42 source brq8af4f28b-a6 mtu 1450'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import integer
from stackdoctor.model import Evidence

__all__ = ["DomainDisk", "DomainInterface", "DomainXml", "parse_domain"]

LONGEST = 1024 * 1024
DEEPEST = 200  # as many layers as libvirt follows (src/storage_file/storage_source.c)
NOVA = "{http://openstack.org/xmlns/libvirt/nova/"


@dataclass(frozen=True)
class DomainInterface:
    """A guest's network card.

    ``kind`` is bridge, ethernet, vhostuser, hostdev, network ...; ``device`` is the host's end (tap30d5603c-42);
    ``source`` the bridge or network that it is plugged into; ``port_id`` is Open vSwitch's or OVN's interface id,
    which is the Neutron port's; ``link_down`` is libvirt's own switch for the cable.
    """

    kind: str
    mac: str
    device: str
    source: str
    mtu: int | None
    port_id: str
    link_down: bool
    evidence: Evidence

    def __str__(self) -> str:
        return self.device or self.mac


@dataclass(frozen=True)
class DomainDisk:
    """A guest's disk: ``target`` is its name in the guest (vda), ``serial`` of a Cinder volume is the volume's id.

    ``kind`` is file, block, network, volume ...; ``source`` the file, the host's device or the network name.
    Of iSCSI through QEMU: ``protocol`` iscsi, ``iqn`` and ``lun`` from the name, ``hosts`` as address:port, ``user``
    the CHAP account (its secret is not in the XML).  ``backing`` are the files below an overlay, the nearest first,
    which libvirt tells of guests that run.  ``shared`` says that several guests may have it (a multi-attach volume).
    """

    target: str
    device: str
    kind: str
    source: str
    protocol: str
    iqn: str
    lun: int | None
    hosts: tuple[str, ...]
    serial: str
    evidence: Evidence
    user: str = ""
    backing: tuple[str, ...] = ()
    shared: bool = False

    def __str__(self) -> str:
        return self.target


@dataclass(frozen=True)
class DomainXml:
    """What one ``virsh dumpxml`` says."""

    uuid: str
    name: str
    nova_name: str
    interfaces: tuple[DomainInterface, ...]
    disks: tuple[DomainDisk, ...]


def parse_domain(xml: str, evidence: Callable[[str], Evidence]) -> DomainXml:
    """The domain; raises ParseError for what is too long, has a document type (entities), or is no domain."""
    if len(xml) > LONGEST:
        raise ParseError(f"a domain's XML of {len(xml)} characters")
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise ParseError("a domain's XML with a document type, which libvirt never prints")
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError) as error:
        raise ParseError(f"not XML: {error}") from error
    if root.tag != "domain":
        raise ParseError(f"not a domain: {root.tag[:80]}")
    nova_name = ""
    for element in root.findall("./metadata/*/*"):
        if element.tag.startswith(NOVA) and element.tag.endswith("}name"):
            nova_name = (element.text or "").strip()
    return DomainXml(
        (root.findtext("uuid") or "").strip(),
        (root.findtext("name") or "").strip(),
        nova_name,
        tuple(_interface(element, evidence) for element in root.findall("./devices/interface")),
        tuple(_disk(element, evidence) for element in root.findall("./devices/disk")),
    )


def _attribute(element: ElementTree.Element, path: str, *names: str) -> str:
    found = element.find(path)
    if found is None:
        return ""
    return next((found.attrib[name] for name in names if name in found.attrib), "")


def _interface(element: ElementTree.Element, evidence: Callable[[str], Evidence]) -> DomainInterface:
    kind = element.attrib.get("type", "")
    mac = _attribute(element, "mac", "address")
    device = _attribute(element, "target", "dev")
    source = _attribute(element, "source", "bridge", "network", "dev", "path")
    mtu = integer(_attribute(element, "mtu", "size"))
    down = _attribute(element, "link", "state") == "down"
    words = ["interface", kind]
    for name, value in (("mac", mac), ("target", device), ("source", source), ("mtu", str(mtu or ""))):
        words += [name, value] if value else []
    words += ["link down"] if down else []
    port_id = _attribute(element, "virtualport/parameters", "interfaceid")
    return DomainInterface(kind, mac.lower(), device, source, mtu, port_id, down, evidence(" ".join(words)))


def _disk(element: ElementTree.Element, evidence: Callable[[str], Evidence]) -> DomainDisk:
    kind = element.attrib.get("type", "")
    target = _attribute(element, "target", "dev")
    source = _attribute(element, "source", "file", "dev", "name", "volume", "dir")
    protocol = _attribute(element, "source", "protocol")
    iqn, _, lun = source.rpartition("/") if protocol == "iscsi" else ("", "", "")
    hosts = tuple(
        f"{host.attrib.get('name', '')}:{host.attrib.get('port', '')}".rstrip(":")
        for host in element.findall("./source/host")
    )
    serial = (element.findtext("serial") or "").strip()
    words = ["disk", kind, "target", target, "source", f"{protocol}:{source}" if protocol else source, *hosts]
    words += ["serial", serial] if serial else []
    return DomainDisk(
        target,
        element.attrib.get("device", "disk"),
        kind,
        source,
        protocol,
        iqn or (source if protocol == "iscsi" else ""),
        integer(lun),
        hosts,
        serial,
        evidence(" ".join(words)),
        _attribute(element, "source/auth", "username") or _attribute(element, "auth", "username"),
        tuple(_backing(element)),
        element.find("shareable") is not None,
    )


def _backing(element: ElementTree.Element) -> Iterator[str]:
    """The files below ``element``; a chain's end is an empty ``backingStore``."""
    for _ in range(DEEPEST):
        below = element.find("backingStore")
        if below is None or not (source := _attribute(below, "source", "file")):
            return
        yield source
        element = below
