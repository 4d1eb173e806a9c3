import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.domain_xml import parse_domain
from stackdoctor.model import Evidence


def line(text: str) -> Evidence:
    return Evidence("compute1", "virsh dumpxml", text)


def domain(devices: str) -> str:
    return f"<domain><name>instance-1</name><uuid>u</uuid><devices>{devices}</devices></domain>"


def test_an_ovs_port_is_named_by_its_interface_id() -> None:
    xml = domain(
        "<interface type='bridge'><mac address='FA:16:3E:66:84:CC'/><source bridge='br-int'/>"
        "<virtualport type='openvswitch'><parameters interfaceid='584e904e-a1f3-4a55-9b1c-7c7b84a2a1f0'/></virtualport>"
        "<target dev='tap584e904e-a1'/><link state='down'/></interface>"
    )
    (found,) = parse_domain(xml, line).interfaces
    assert (found.mac, found.port_id, found.link_down) == (
        "fa:16:3e:66:84:cc",
        "584e904e-a1f3-4a55-9b1c-7c7b84a2a1f0",
        True,
    )


def test_disks_of_every_kind_tell_their_source() -> None:
    xml = domain(
        "<disk type='block' device='disk'><source dev='/dev/sda'/><target dev='vda'/><serial>v1</serial></disk>"
        "<disk type='network' device='disk'><source protocol='rbd' name='volumes/volume-1'>"
        "<host name='192.0.2.1' port='6789'/><host name='192.0.2.2'/></source><target dev='vdb'/></disk>"
        "<disk type='network'><source protocol='iscsi' name='iqn.2001-04.org.example:x'/><target dev='vdc'/></disk>"
        "<disk type='file' device='cdrom'><target dev='hda'/></disk>"
    )
    block, rbd, iscsi, empty = parse_domain(xml, line).disks
    assert (block.source, block.serial, block.target) == ("/dev/sda", "v1", "vda")
    assert (rbd.protocol, rbd.source, rbd.hosts, rbd.iqn) == (
        "rbd",
        "volumes/volume-1",
        ("192.0.2.1:6789", "192.0.2.2"),
        "",
    )
    assert (iscsi.iqn, iscsi.lun) == ("iqn.2001-04.org.example:x", None)
    assert (empty.device, empty.source) == ("cdrom", "")


BOMB = """<?xml version='1.0'?><!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>
<domain><name>&b;</name></domain>"""


@pytest.mark.parametrize(
    "xml", ["", "text", "<domain>", "<network/>", BOMB, "<domain>" + " " * 1024 * 1024 + "</domain>"]
)
def test_what_is_no_plain_domain_is_refused(xml: str) -> None:
    with pytest.raises(ParseError):
        parse_domain(xml, line)


def test_deep_nesting_does_no_harm() -> None:
    depth = 50_000
    assert parse_domain("<domain>" + "<a>" * depth + "</a>" * depth + "</domain>", line).disks == ()


# of a guest that ran, as libvirt 9.0 printed it
RUNNING = """
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2' cache='none'/>
  <source file='/var/lib/nova/instances/0505d6dc-5650-4848-9bae-9cb19f60cb29/disk' index='1'/>
  <backingStore type='file' index='2'>
    <format type='raw'/>
    <source file='/var/lib/nova/instances/_base/b564319d35c467a360d66ad244ce247a4aab7c12'/>
    <backingStore/>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
<disk type='network' device='disk'>
  <source protocol='iscsi' name='iqn.2010-10.org.openstack:volume-c85a9e21-eab4-4821-b34a-2b7cd0f97211/1' index='3'>
    <host name='192.168.199.30' port='3260'/>
    <initiator><iqn name='iqn.1993-08.org.debian:01:compute1'/></initiator>
    <auth username='J3YdfEcmogKSLNv2TC9w'><secret type='iscsi' usage='vol1'/></auth>
  </source>
  <target dev='vdb' bus='virtio'/>
  <shareable/>
</disk>
"""


def test_a_running_guests_disks_tell_their_base_their_account_and_whether_they_are_shared() -> None:
    overlay, volume = parse_domain(domain(RUNNING), line).disks
    assert overlay.backing == ("/var/lib/nova/instances/_base/b564319d35c467a360d66ad244ce247a4aab7c12",)
    assert (overlay.user, overlay.shared) == ("", False)
    assert (volume.backing, volume.user, volume.shared) == ((), "J3YdfEcmogKSLNv2TC9w", True)
