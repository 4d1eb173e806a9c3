"""A guest as the command line of its QEMU tells it, for nodes whose libvirt cannot be asked.

libvirt hands QEMU an open tap (``fd=32``) and no name, so that the tap is found by its address: libvirt gives a tap
the guest's with ``fe`` in front (libvirt ``src/util/virnetdevtap.c``).  ps(1) prints arguments with blanks between,
also those that have blanks themselves; what is read here has none, or is JSON.

>>> guest = parse_command('qemu-kvm -name guest=instance-00000006,debug-threads=on -uuid fdcce5e0-9950-47f5-9e85-1d94'
...     ' -netdev tap,fd=26,id=n0 -device virtio-net-pci,netdev=n0,id=net0,mac=fa:16:3e:1c:77:97')
>>> guest.name, guest.cards[0].mac, guest.cards[0].device
('instance-00000006', 'fa:16:3e:1c:77:97', '')
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["QemuCard", "QemuDisk", "QemuGuest", "is_qemu", "parse_command"]

PROGRAM = re.compile(r"(?:\S*/)?(?:qemu-system-[\w-]{1,40}|qemu-kvm|kvm)(?: |\Z)")
OPTION = re.compile(r"(?:\A| )-(netdev|device|blockdev|drive|name|uuid) +(?=\S)")
LONGEST = 256 * 1024


@dataclass(frozen=True)
class QemuCard:
    """A network card: its MAC, the tap by name (empty where only a descriptor is handed over), and its MTU."""

    mac: str
    device: str
    mtu: int | None


@dataclass(frozen=True)
class QemuDisk:
    """A disk's file or device; of iSCSI the name and number instead, and ``serial``, which is a volume's id."""

    source: str
    protocol: str
    iqn: str
    lun: int | None
    host: str
    serial: str


@dataclass(frozen=True)
class QemuGuest:
    """What one command line says."""

    name: str
    uuid: str
    cards: tuple[QemuCard, ...]
    disks: tuple[QemuDisk, ...]


Values = Mapping[str, object]


def is_qemu(args: str) -> bool:
    """Whether a command line is QEMU's, with a guest of libvirt's."""
    return PROGRAM.match(args) is not None and " -name " in args


def parse_command(args: str) -> QemuGuest:
    """The guest of a command line as ps(1) prints it; what cannot be read is left out."""
    found = list(_options(args[:LONGEST]))
    name = next((str(v.get("guest") or v.get("", "")) for o, v in found if o == "name"), "")
    uuid = next((str(v.get("", "")) for o, v in found if o == "uuid"), "")
    nets = {str(v.get("id", "")): v for o, v in found if o == "netdev"}
    devices = [v for o, v in found if o == "device"]
    cards = []
    for device in devices:
        net = nets.get(str(device.get("netdev", "")))
        if net is not None and "tap" in (net.get("type"), net.get("")):
            mtu = str(device.get("host_mtu", ""))
            mac = str(device.get("mac", "")).lower()
            cards.append(QemuCard(mac, str(net.get("ifname", "")), int(mtu) if re.fullmatch(r"\d{1,5}", mtu) else None))
    return QemuGuest(name, uuid, tuple(cards), tuple(_disks(found, devices)))


def _options(args: str) -> Iterator[tuple[str, Values]]:
    """The options of interest with their values; the first value without a name is under the empty name."""
    decoder = json.JSONDecoder()
    for match in OPTION.finditer(args):
        if args[match.end()] == "{":
            try:
                value, _ = decoder.raw_decode(args, match.end())
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield match[1], value
            continue
        words = args[match.end() :].split(" ", 1)[0].split(",")
        pairs = [word.partition("=") for word in words]
        values: dict[str, object] = {key: value for key, equals, value in pairs if equals}
        if "=" not in words[0]:
            values[""] = words[0]
        yield match[1], values


def _disks(found: list[tuple[str, Values]], devices: list[Values]) -> Iterator[QemuDisk]:
    nodes = {str(v.get("node-name", "")): v for o, v in found if o == "blockdev"}
    drives = {str(v.get("id", "")): v for o, v in found if o == "drive"}
    for device in devices:
        drive = str(device.get("drive", ""))
        top = nodes.get(drive) or drives.get(drive)
        if top is None:
            continue
        below = top
        for _ in range(4):  # format over storage, and libvirt's throttle or copy-on-read between
            if "filename" in below or "target" in below or not isinstance(below.get("file"), str):
                break
            below = nodes.get(str(below["file"]), {"filename": below["file"]})
        yield _disk(below, str(device.get("serial", "") or top.get("serial", "")))


def _disk(node: Values, serial: str) -> QemuDisk:
    source = str(node.get("filename") or node.get("file.filename") or node.get("file") or "")
    iqn, lun, host = str(node.get("target", "")), str(node.get("lun", "")), str(node.get("portal", ""))
    if source.startswith("iscsi://"):
        host, _, rest = source.removeprefix("iscsi://").rpartition("@")[2].partition("/")
        iqn, _, lun = rest.partition("/")
    protocol = "iscsi" if iqn else ""
    number = int(lun) if re.fullmatch(r"\d{1,5}", lun) else None
    return QemuDisk(f"{iqn}/{lun}" if iqn else source, protocol, iqn, number, host, serial)
