"""Guests told by the command lines of their QEMU: libvirt's forms of today and of old, and a node without virsh."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.errors import NotApplicable
from stackdoctor.facts.libvirt import DOMAIN_LIST, DOMAIN_XML, Domains
from stackdoctor.facts.links import HOST_LINKS
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.qemu_command import is_qemu, parse_command
from stackdoctor.model import NodeResults, Result, Status

RECORDED = (Path(__file__).parent / "samples" / "qemu-command.txt").read_text().strip()
UUID = "0505d6dc-5650-4848-9bae-9cb19f60cb29"
MAC = "fa:16:3e:2e:02:e7"
PS = "PID PPID USER STAT STARTED ELAPSED %CPU %MEM RSS NLWP WCHAN COMMAND\n"
ROW = "4058 1 libvirt+ {} Sun Nov 22 16:05:25 2026 2394 7.0 0.8 219620 5 poll {}\n"
# The form that libvirt wrote before 6.0 (src/qemu/qemu_command.c), and one without libvirt.
OLD = (
    "/usr/libexec/qemu-kvm -name guest=instance-00000007,debug-threads=on -S -uuid {0} -smbios type=1,product=OpenStack"
    " Compute -drive file=/dev/disk/by-path/ip-192.0.2.9:3260-iscsi-iqn.2010-10.org.openstack:volume-1-lun-1,"
    "format=raw,if=none,id=drive-virtio-disk0,serial=9e1cbb9f-39d4-4f5c-9b2a-ff6c1ad29f5b,cache=none"
    " -device virtio-blk-pci,scsi=off,bus=pci.0,addr=0x4,drive=drive-virtio-disk0,id=virtio-disk0,bootindex=1"
    " -netdev tap,fd=26,id=hostnet0,vhost=on,vhostfd=28"
    " -device virtio-net-pci,host_mtu=1450,netdev=hostnet0,id=net0,mac={1},bus=pci.0,addr=0x3 -vnc 0.0.0.0:0"
)
NAMED = "qemu-system-aarch64 -name vm -netdev tap,id=n0,ifname=tap712c9d12-a3,script=no -device e1000,netdev=n0,mac={}"


def test_what_libvirt_9_starts_is_read() -> None:
    guest = parse_command(RECORDED)
    assert (guest.name, guest.uuid) == ("instance-00000001", UUID)
    ((mac, device, mtu),) = ((c.mac, c.device, c.mtu) for c in guest.cards)
    assert (mac, device, mtu) == (MAC, "", 1450)
    assert [disk.source for disk in guest.disks] == [f"/var/lib/nova/instances/{UUID}/disk"]


def test_what_older_ones_start_is_read() -> None:
    guest = parse_command(OLD.format(UUID, MAC.upper()))
    assert (guest.name, guest.uuid, guest.cards[0].mac, guest.cards[0].mtu) == ("instance-00000007", UUID, MAC, 1450)
    assert guest.disks[0].source.endswith("-lun-1")
    assert guest.disks[0].serial == "9e1cbb9f-39d4-4f5c-9b2a-ff6c1ad29f5b"


def test_a_tap_that_is_named_is_read() -> None:
    guest = parse_command(NAMED.format(MAC))
    assert (guest.name, guest.cards[0].device) == ("vm", "tap712c9d12-a3")


def test_a_volume_over_qemus_own_iscsi_has_name_and_number() -> None:
    storage = {"driver": "iscsi", "portal": "192.0.2.9:3260", "target": "iqn.2010-10.org.openstack:volume-1", "lun": 1}
    command = (
        f"kvm -name x -blockdev {json.dumps({**storage, 'node-name': 's'})}"
        ' -blockdev {"node-name":"f","driver":"raw","file":"s"} -device {"driver":"virtio-blk-pci","drive":"f"}'
    )
    (disk,) = parse_command(command).disks
    assert (disk.iqn, disk.lun, disk.host) == ("iqn.2010-10.org.openstack:volume-1", 1, "192.0.2.9:3260")


@pytest.mark.parametrize(
    "args", ["/usr/bin/python3 qemu-system-x86_64 -name x", "qemu-img convert -name x", "grep qemu-kvm -name x"]
)
def test_other_programs_are_none(args: str) -> None:
    assert not is_qemu(args)


@given(st.text(alphabet='-netdvbiclokraug {}"=,:[]\\', max_size=200))
def test_any_command_line_is_read(text: str) -> None:
    parse_command(f"qemu-kvm -name x {text}")


@pytest.fixture
def node(answered_node: Callable[..., NodeResults], answer: Callable[..., Result]) -> Callable[..., NodeResults]:
    """A node without virsh, on which these command lines run, and whose tap is on ``master``."""

    def build(*args: str, master: str | None = "brq8af4f28b-a6", stat: str = "Sl") -> NodeResults:
        tap = {"ifindex": 14, "ifname": "tap712c9d12-a3", "flags": ["UP"], "mtu": 1450, "address": "fe" + MAC[2:]}
        tap |= {"link_type": "ether"}
        tap |= {"linkinfo": {"info_kind": "tun"}, **({"master": master} if master else {})}
        lo = {"ifindex": 1, "ifname": "lo", "flags": ["LOOPBACK", "UP"], "mtu": 65536}
        return answered_node(
            answer(DOMAIN_LIST, status=Status.MISSING),
            answer(DOMAIN_XML, status=Status.MISSING),
            answer(Processes.probes[0], PS + "".join(ROW.format(stat, a) for a in args)),
            answer(HOST_LINKS, json.dumps([lo, tap])),
        )

    return build


@pytest.mark.parametrize("command", [RECORDED, OLD.format(UUID, MAC), NAMED.format(MAC)])
def test_without_virsh_the_guests_are_those_of_the_processes(node: Callable[..., NodeResults], command: str) -> None:
    (domain,) = Domains.parse(node(command)).domains
    (card,) = domain.interfaces
    assert (card.kind, card.mac, card.device, card.source) == ("bridge", MAC, "tap712c9d12-a3", "brq8af4f28b-a6")
    assert domain.running


def test_a_tap_on_no_bridge_leaves_the_bridge_unknown(node: Callable[..., NodeResults]) -> None:
    card = Domains.parse(node(RECORDED, master=None)).domains[0].interfaces[0]
    assert (card.kind, card.device, card.source) == ("tap", "tap712c9d12-a3", "")


def test_a_stopped_process_is_a_guest_that_does_not_run(node: Callable[..., NodeResults]) -> None:
    assert not Domains.parse(node(RECORDED, stat="Tl")).domains[0].running


def test_a_node_with_neither_has_no_guests_to_speak_of(node: Callable[..., NodeResults]) -> None:
    with pytest.raises(NotApplicable, match="neither virsh nor a QEMU"):
        Domains.parse(node("/usr/sbin/sshd -D"))
