import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.bridges import (
    BRIDGE_FDB,
    BRIDGE_LINKS,
    BRIDGE_SYSCTLS,
    BridgeNetfilter,
    Bridges,
    Fdb,
    parse_brctl,
    parse_ports,
)
from stackdoctor.model import Status


def test_three_commands_name_the_same_ports(network_sample) -> None:
    from_json = {(b, p, s) for b, p, s, _ in parse_ports(network_sample("bridge-link-json"))}
    from_text = {(b, p, s) for b, p, s, _ in parse_ports(network_sample("bridge-link"))}
    from_brctl = {(b, p) for b, ports in parse_brctl(network_sample("brctl-show")) for p in ports}
    assert from_json == from_text
    assert {(b, p) for b, p, _ in from_json} == from_brctl
    assert len(from_brctl) == 5


def test_bridge_link_of_2014_is_read() -> None:
    old = (
        "3: eth1 state UP @NONE: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master brq152a4a85-dc state forwarding "
        "priority 32 cost 4 \n    hairpin off guard off root_block off fastleave off \n"
    )
    assert [row[:3] for row in parse_ports(old)] == [("brq152a4a85-dc", "eth1", "forwarding")]


def test_the_guests_tap_is_on_its_networks_bridge(recorded_node) -> None:
    bridge = Bridges.parse(recorded_node("healthy.compute1")).of_port("tap712c9d12-a3")
    assert bridge.name == "brqc29dcc29-e6"
    assert {port.name for port in bridge.ports} == {"tap712c9d12-a3", "vxlan-822"}


def test_a_tap_that_was_taken_off_is_on_no_bridge(recorded_node) -> None:
    bridges = Bridges.parse(recorded_node("vm-tap-off-bridge.compute1"))
    assert [port.name for port in bridges.named("brq8af4f28b-a6").ports] == ["vxlan-994"]
    assert bridges.of_port("tap30d5603c-42") is None


def test_brctl_with_a_long_name_and_an_empty_bridge_is_read(answer, answered_node) -> None:
    printed = (
        "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n"
        "br-ex\t\t8000.000000000000\tno\t\t\n"
        "a-very-long-name\t\t8000.2ef9ea766d30\tyes\t\teth0.101\n\t\t\t\t\t\t\ttap584e904e-a1\n"
        "gone\t\tcan't get info No such device\n"
    )
    bridges = Bridges.parse(answered_node(answer(BRIDGE_LINKS, printed))).bridges
    assert [(b.name, [p.name for p in b.ports]) for b in bridges] == [
        ("br-ex", []),
        ("a-very-long-name", ["eth0.101", "tap584e904e-a1"]),
    ]


@pytest.mark.parametrize(
    "printed", ["nonsense", "bridge name\tother\n", "bridge name\tbridge id\t\tSTP enabled\tinterfaces\n\t\teth0\n"]
)
def test_what_is_no_bridge_table_is_refused(printed: str, answer, answered_node) -> None:
    with pytest.raises(ParseError):
        Bridges.parse(answered_node(answer(BRIDGE_LINKS, printed)))


def test_a_node_without_bridges_has_none(recorded_node, answer, answered_node) -> None:
    assert Bridges.parse(recorded_node("healthy.storage")).bridges == ()
    assert Bridges.parse(answered_node(answer(BRIDGE_LINKS, ""))).bridges == ()


def test_the_text_form_of_the_forwarding_database_says_the_same(network_sample, answer, answered_node) -> None:
    from_json = Fdb.parse(answered_node(answer(BRIDGE_FDB, network_sample("bridge-fdb-json"))))
    from_text = Fdb.parse(answered_node(answer(BRIDGE_FDB, network_sample("bridge-fdb"))))
    assert [e.evidence.line.split() for e in from_json.entries] == [e.evidence.line.split() for e in from_text.entries]
    assert len(from_json.entries) == 42
    assert [(e.mac, e.device, e.dst, e.flags) for e in from_json.entries] == [
        (e.mac, e.device, e.dst, e.flags) for e in from_text.entries
    ]


def test_a_tunnel_knows_where_to_flood_and_where_a_guest_is(network_sample, answer, answered_node) -> None:
    fdb = Fdb.parse(answered_node(answer(BRIDGE_FDB, network_sample("bridge-fdb-json"))))
    assert fdb.flooded_to("vxlan-994") == ("192.168.200.20", "192.168.200.21")
    assert {e.dst for e in fdb.of("FA:16:3E:E6:A9:90") if e.dst} == {"192.168.200.21"}


def test_an_entry_of_2014_is_read(answer, answered_node) -> None:
    old = "fa:16:3e:66:84:cc dev tap584e904e-a1 vlan 0 master brq8 \n"
    old += "fe:16:3e:66:84:cc dev tap584e904e-a1 vlan 1 master permanent\n"
    one, two = Fdb.parse(answered_node(answer(BRIDGE_FDB, old))).entries
    assert (one.vlan, one.master, one.flags) == (0, "brq8", frozenset())
    assert (two.vlan, two.master, two.flags) == (1, "", {"master", "permanent"})
    with pytest.raises(ParseError):
        Fdb.parse(answered_node(answer(BRIDGE_FDB, "not a station\n")))


def test_bridged_frames_pass_iptables_where_the_switch_is_on(recorded_node) -> None:
    found = BridgeNetfilter.parse(recorded_node("healthy.compute1"))
    assert (found.loaded, found.iptables, found.ip6tables) == (True, True, True)
    assert found.evidence.source == "/proc/sys/net/bridge/bridge-nf-call-iptables"


def test_a_kernel_without_br_netfilter_is_a_value(answer, answered_node) -> None:
    found = BridgeNetfilter.parse(answered_node(answer(BRIDGE_SYSCTLS, status=Status.MISSING)))
    assert (found.loaded, found.iptables) == (False, None)


def test_a_switch_that_may_not_be_read_is_no_value(answer, answered_node) -> None:
    with pytest.raises(CouldNotCheck):
        BridgeNetfilter.parse(answered_node(answer(BRIDGE_SYSCTLS, status=Status.DENIED)))
    path = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    off = BridgeNetfilter.parse(answered_node(answer(BRIDGE_SYSCTLS, "0\n", path)))
    assert (off.iptables, off.arptables) == (False, None)
    with pytest.raises(ParseError):
        BridgeNetfilter.parse(answered_node(answer(BRIDGE_SYSCTLS, "maybe\n", path)))


def test_a_node_without_bridge_and_brctl_has_no_such_fact(answer, answered_node) -> None:
    with pytest.raises(NotApplicable):
        Bridges.parse(answered_node(answer(BRIDGE_LINKS, status=Status.MISSING)))
