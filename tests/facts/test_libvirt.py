import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.libvirt import DOMAIN_LIST, DOMAIN_XML, Domains, parse_list
from stackdoctor.model import Status


def test_a_guest_is_described_with_its_card_and_its_volume(recorded_node) -> None:
    found = Domains.parse(recorded_node("healthy.compute1"))
    guest = found.of_server("0505d6dc-5650-4848-9bae-9cb19f60cb29")
    assert (guest.name, guest.nova_name, guest.running) == ("instance-00000001", "vm1", True)
    card = guest.interface("tap712c9d12-a3")
    assert (card.kind, card.mac, card.source, card.mtu) == ("bridge", "fa:16:3e:2e:02:e7", "brqc29dcc29-e6", 1450)
    assert "dumpxml instance-00000001" in card.evidence.source
    root, volume = guest.disks
    assert (root.target, root.kind, root.iqn) == ("vda", "file", "")
    assert (volume.target, volume.protocol, volume.lun, volume.hosts) == ("vdb", "iscsi", 1, ("192.168.199.30:3260",))
    assert volume.iqn == f"iqn.2010-10.org.openstack:volume-{volume.serial}"


def test_a_libvirtd_that_does_not_answer_is_a_value(recorded_node) -> None:
    found = Domains.parse(recorded_node("healthy.controller"))
    assert (found.running, found.domains) == (False, ())
    assert "Failed to connect socket" in found.evidence.line


def test_a_guest_whose_xml_is_not_there_is_listed_all_the_same(answer, answered_node) -> None:
    listing = " Id   Name   State\n----\n -    instance-00000001   shut off\n 2    b   running\n\n"
    node = answered_node(
        answer(DOMAIN_LIST, listing),
        answer(DOMAIN_XML, "<domain><name>b</name></domain>", "b"),
        answer(DOMAIN_XML, "", "instance-00000001", status=Status.TIMED_OUT),
    )
    found = Domains.parse(node)
    assert [(d.name, d.state) for d in found.domains] == [("instance-00000001", "shut off"), ("b", "running")]
    assert list(found.absent) == ["instance-00000001"]


def test_old_and_new_tables_are_read() -> None:
    old = (
        " Id    Name                           State\n"
        + "-" * 52
        + "\n 17    instance-0000002a              in shutdown\n"
    )
    old += " -     a guest with blanks            no state\n"
    assert parse_list(old) == (("instance-0000002a", "in shutdown"), ("a guest with blanks", "no state"))


@pytest.mark.parametrize(
    "printed", ["", "Name\n", " Id Name State\n x   y   running\n", " Id Name State\n 1   y   dancing\n"]
)
def test_what_is_no_table_of_guests_is_refused(printed: str) -> None:
    with pytest.raises(ParseError):
        parse_list(printed)


def test_other_failures_are_told(answer, answered_node) -> None:
    with pytest.raises(CouldNotCheck, match="unsupported option"):
        Domains.parse(answered_node(answer(DOMAIN_LIST, exit=1, error="error: unsupported option '-r'")))
    with pytest.raises(NotApplicable):
        Domains.parse(answered_node(answer(DOMAIN_LIST, status=Status.MISSING)))
