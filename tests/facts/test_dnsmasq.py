from dataclasses import replace

import pytest

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.dnsmasq import (
    DNSMASQ_FILES,
    NOWHERE,
    Dnsmasq,
    parse_host,
    parse_lease,
    parse_option,
    parse_process,
)
from stackdoctor.facts.processes import Processes
from stackdoctor.model import Probe, Status

(PROCESSES,) = Processes.probes
PS = "PID PPID USER STAT STARTED ELAPSED %CPU %MEM RSS NLWP WCHAN COMMAND\n"
ROW = "{} 1 dnsmasq {} Sun Nov 22 16:05:25 2026 2394 0.0 0.1 2196 1 poll {}\n"
HERE = "/var/lib/neutron/dhcp/152a4a85-dc52-4c62-9bbd-742eb4f7b8fa"


def test_a_served_network_has_its_process_hosts_leases_and_options(recorded_node) -> None:
    found = Dnsmasq.parse(recorded_node("healthy.controller"))
    (network,) = found.networks
    assert network.network_id == "c29dcc29-e6c3-4352-b243-df929c3e972b"
    assert network.interface == "ns-da146156-92"
    assert network.process.pid == network.pid == 1394
    assert network.process.mtu == 1450
    assert network.host("FA:16:3E:2E:02:E7").addresses == ("10.10.0.28",)
    assert network.lease("10.10.0.28").mac == "fa:16:3e:2e:02:e7"
    assert not any(lease.expired(found.now) or lease.seeded for lease in network.leases)
    assert [o.values for o in network.options if o.option == "router"] == [("10.10.0.1",)]
    assert network.hosts[0].evidence.source.endswith("/host")
    assert found.network("c29dcc29-e6") is network
    assert found.network("") is None


def test_a_killed_dnsmasq_leaves_its_pid_file_and_leases_that_run_out(recorded_node) -> None:
    found = Dnsmasq.parse(recorded_node("dnsmasq-killed.controller"))
    (network,) = found.networks
    assert (network.pid, network.process, found.processes, found.absent) == (11927, None, (), "")
    assert all(lease.expired(found.now) for lease in network.leases)


def test_leases_are_judged_by_the_nodes_clock(recorded_node) -> None:
    node = recorded_node("dnsmasq-killed.controller")
    found = Dnsmasq.parse(replace(node, clock=replace(node.clock, now=node.clock.now - 3600)))
    assert not any(lease.expired(found.now) for lease in found.networks[0].leases)


def test_processes_that_cannot_be_listed_are_not_dead_ones(answer, answered_node) -> None:
    node = answered_node(
        answer(DNSMASQ_FILES, "3690\n", f"{HERE}/pid"),
        answer(PROCESSES, exit=1, error="ps: unrecognized option: C"),
    )
    found = Dnsmasq.parse(node)
    assert found.processes is None
    assert "unrecognized option" in found.absent
    assert found.networks[0].pid == 3690


def test_a_node_without_dhcp_has_no_such_fact(recorded_node) -> None:
    for name in ("healthy.compute1", "healthy.storage"):
        with pytest.raises(NotApplicable):
            Dnsmasq.parse(recorded_node(name))


def test_a_dnsmasq_whose_files_are_elsewhere_is_still_seen(answer, answered_node) -> None:
    command = "/usr/sbin/dnsmasq --pid-file=/srv/neutron/dhcp/152a4a85-dc52-4c62-9bbd-742eb4f7b8fa/pid --no-hosts"
    others = ROW.format(17, "S", "sudo dnsmasq --test") + ROW.format(18, "S", "") + ROW.format(19, "S", "dnsmasq-watch")
    node = answered_node(
        answer(DNSMASQ_FILES, status=Status.MISSING), answer(PROCESSES, PS + others + ROW.format(3690, "S", command))
    )
    found = Dnsmasq.parse(node)
    assert found.networks == ()
    ((process,), network_id) = found.processes, "152a4a85-dc52-4c62-9bbd-742eb4f7b8fa"
    assert (process.pid, process.network_id, process.evidence.line.split()[:2]) == (3690, network_id, ["3690", "1"])


def test_a_dnsmasq_that_has_ended_serves_nothing(answer, answered_node) -> None:
    node = answered_node(
        answer(DNSMASQ_FILES, "3690\n", f"{HERE}/pid"),
        answer(PROCESSES, PS + ROW.format(3690, "Z", "[dnsmasq] <defunct>")),
    )
    found = Dnsmasq.parse(node)
    assert [process.pid for process in found.processes] == [3690]
    assert found.networks[0].process is None


def test_snapshots_that_asked_for_dnsmasq_alone_are_read(answer, answered_node) -> None:
    earlier = Probe("dnsmasq.processes", ("ps", "-C", "dnsmasq"))
    node = answered_node(
        answer(DNSMASQ_FILES, "3690\n", f"{HERE}/pid"),
        answer(earlier, f"3690 S dnsmasq --pid-file={HERE}/pid\n"),
    )
    assert Dnsmasq.parse(node).networks[0].process.pid == 3690
    none = answered_node(answer(DNSMASQ_FILES, "3690\n", f"{HERE}/pid"), answer(earlier, exit=1))
    assert Dnsmasq.parse(none).processes == ()


def test_a_dnsmasq_that_is_not_neutrons_serves_no_network() -> None:
    process = parse_process("900 S /usr/sbin/dnsmasq --conf-file=/var/lib/libvirt/dnsmasq/default.conf", NOWHERE)
    assert (process.network_id, process.mtu) == ("", None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("fa:16:3e:8f:9d:65,30.0.0.5,set:port-aabc7d33", ("", ("30.0.0.5",), ("set:port-aabc7d33",), "")),
        ("fa:16:3e:8f:9d:65,set:aabc7d33-4874-429e", ("", (), ("set:aabc7d33-4874-429e",), "")),
        (
            "fa:16:3e:8f:9d:65,tag:dhcpv6,host-1.openstacklocal,[2001:db8::5],[2001:db8::6]",
            ("host-1.openstacklocal", ("2001:db8::5", "2001:db8::6"), ("tag:dhcpv6",), ""),
        ),
        (
            "fa:16:3e:8f:9d:65,id:01:02,host-1,192.0.2.5,set:port-1",
            ("host-1", ("192.0.2.5",), ("set:port-1",), "01:02"),
        ),
    ],
)
def test_every_form_of_host_entry_that_neutron_writes_is_read(line: str, expected: tuple[object, ...]) -> None:
    host = parse_host(line, NOWHERE)
    assert (host.name, host.addresses, host.tags, host.client_id) == expected


def test_a_lease_that_neutron_wrote_is_not_yet_the_guests() -> None:
    assert parse_lease("1795366048 fa:16:3e:e6:a9:90 10.10.0.167 * *", NOWHERE).seeded


def test_an_endless_lease_does_not_expire() -> None:
    lease = parse_lease("0 fa:16:3e:e6:a9:90 10.10.0.167 host-1 *", NOWHERE)
    assert (lease.expiry, lease.expired(9e9), lease.seeded) == (None, False, False)


def test_ipv6_leases_stand_behind_the_servers_own_identifier(answer, answered_node) -> None:
    text = "duid 00:01:00:01:2b:0d:fa:16:3e\n1795366048 1042449 2001:db8::5 host-1 00:01:00:01\n"
    node = answered_node(answer(DNSMASQ_FILES, text, f"{HERE}/leases"), answer(PROCESSES, PS))
    (lease,) = Dnsmasq.parse(node).networks[0].leases
    assert (lease.mac, lease.address) == ("1042449", "2001:db8::5")


def test_options_of_both_forms_are_read() -> None:
    assert parse_option("tag:tag0,option:router,10.0.0.1", NOWHERE).tag == "tag0"
    assert parse_option("tag:subnet-1,249,169.254.169.254/32,10.0.0.1", NOWHERE).option == "249"


def test_what_is_none_of_these_is_refused() -> None:
    for parse, line in (
        (parse_host, "nonsense"),
        (parse_lease, "1 2 3"),
        (parse_option, "tag:x"),
        (parse_process, "x y"),
    ):
        with pytest.raises(ParseError):
            parse(line, NOWHERE)
