"""The way to the broker: lost packets, and what only looks like them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Look = Callable[..., Any]
Nodes = dict[str, dict[str, str]]

SS = "State    Recv-Q Send-Q  Local Address:Port     Peer Address:Port Process\n"
WAITS = 'SYN-SENT 0      1      192.0.2.20:33784  192.0.2.10:5672  users:(("nova-compute",pid=396,fd=26))\n'
ALIVE = 'ESTAB    0      {}      192.0.2.20:33790  192.0.2.10:5672  users:(("nova-compute",pid=396,fd=27))\n'
LISTENING = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
COMPUTE = "/usr/bin/python3 /usr/bin/nova-compute --config-file=/etc/nova/nova.conf"
STUCK = (
    'ESTAB    0      1106     192.0.2.20:33791  192.0.2.10:5672  users:(("nova-compute",pid=396,fd=28)) timer:({})\n'
)
CONF = "[DEFAULT]\ntransport_url = rabbit://openstack:<redacted>@{}/\n"
RULES = "*filter\n:INPUT ACCEPT [9:900]\n[{}] -A INPUT -s {}/32 -p tcp -m tcp --dport {} -j DROP\nCOMMIT\n"


def sockets(*lines: str) -> dict[str, str]:
    return {"sockets.tcp": SS + "".join(lines), "sockets.listening": LISTENING}


def test_a_service_that_gets_no_answer_is_cut_off(look: Look, processes: Any) -> None:
    seen = look(compute1=sockets(WAITS, ALIVE.format(54)) | {"processes": processes(COMPUTE)})
    assert seen.causes == [("net-drop-to-broker", "compute1")]


def test_a_connection_in_the_moment_of_its_making_is_a_warning(look: Look, processes: Any) -> None:
    seen = look(compute1=sockets(WAITS, ALIVE.format(0)) | {"processes": processes(COMPUTE)})
    assert seen.causes == []
    assert str(seen.findings["amqp.connection.unanswered"].severity) == "warning"


def test_a_program_that_is_none_of_the_clouds_is_left_out(look: Look, processes: Any) -> None:
    assert not look(compute1=sockets(WAITS) | {"processes": processes("/usr/bin/python3 /root/probe.py")}).every


def test_a_rule_that_keeps_strangers_out_is_a_note(look: Look) -> None:
    seen = look(controller={"iptables.save": RULES.format("7:420", "203.0.113.7", "5672")})
    assert seen.causes == []
    assert str(seen.findings["firewall.drops-port"].severity) == "info"


def test_a_rule_that_did_not_match_yet_is_nothing(look: Look) -> None:
    assert not look(controller={"iptables.save": RULES.format("0:0", "203.0.113.7", "5672")}).every


def test_lost_packets_of_a_tunnel_are_a_warning(look: Look) -> None:
    rules = RULES.format("7:420", "192.0.2.21", "8472").replace("tcp", "udp")
    assert str(look(compute1={"iptables.save": rules}).findings["firewall.drops-port"].severity) == "warning"


def home(address: str) -> dict[str, str]:
    info = [{"family": "inet", "local": address, "prefixlen": 24, "scope": "global"}]
    link = {"ifindex": 2, "ifname": "eth0", "flags": ["UP"], "mtu": 1500, "operstate": "UP", "addr_info": info}
    return {"addresses.host": json.dumps([link])}


def silence(reason: str, ago: float = 10.0) -> tuple[str, str, str, dict[str, str], float]:
    keys = {"broker": "192.0.2.10", "port": "5672", "reason": reason}
    return ("rpc-unreachable", "nova-compute", "/var/log/nova/nova-compute.log", keys, ago)


@pytest.fixture
def timed_out(logged: Any) -> Callable[[str, str, str], Nodes]:
    """Two nodes: compute1's log says that the broker does not answer, one of them has a rule that drops."""

    def nodes(node: str, chain: str, peer: str) -> Nodes:
        rule = f"*filter\n:{chain} ACCEPT [9:900]\n[7:420] -A {chain}{peer} -p tcp --dport 5672 -j DROP\nCOMMIT\n"
        found = {"controller": home("192.0.2.10"), "compute1": home("192.0.2.20")}
        found["compute1"]["logs.hits"] = logged(silence("timed out"))
        found[node]["iptables.save"] = rule
        return found

    return nodes


@pytest.mark.parametrize("timer", ["on,1.620ms,3", "persist,012ms,2", "on,12sec,15"])
def test_what_is_sent_again_and_again_and_not_acknowledged_is_lost(look: Look, timer: str) -> None:
    seen = look(compute1=sockets(STUCK.format(timer)))
    assert set(seen.findings) == {"amqp.connection.unanswered"}
    assert seen.causes == [("net-drop-to-broker", "compute1")]


@pytest.mark.parametrize("timer", ["on,190ms,0", "on,400ms,1", "keepalive,17sec,0", "persist,2.240ms,0"])
def test_what_was_sent_just_now_and_a_broker_that_has_no_room_are_nothing(look: Look, timer: str) -> None:
    assert not look(compute1=sockets(STUCK.format(timer))).every


def test_one_connection_that_is_stuck_among_others_is_a_warning(look: Look) -> None:
    seen = look(compute1=sockets(STUCK.format("on,1.620ms,3"), ALIVE.format(0)))
    assert seen.causes == []
    assert str(seen.findings["amqp.connection.unanswered"].severity) == "warning"


@pytest.mark.parametrize(
    ("node", "chain", "peer"),
    [
        ("compute1", "OUTPUT", ""),
        ("compute1", "OUTPUT", " -d 192.0.2.10/32"),
        ("compute1", "OUTPUT", " ! -d 203.0.113.7/32"),
        ("controller", "INPUT", " -s 192.0.2.20/32"),
        ("controller", "INPUT", " -s 192.0.2.0/24"),
    ],
)
def test_between_two_attempts_the_log_and_a_rule_that_drops_tell_of_it(
    look: Look, timed_out: Any, node: str, chain: str, peer: str
) -> None:
    seen = look(**timed_out(node, chain, peer))
    assert seen.causes == [("net-drop-to-broker", "compute1")]


@pytest.mark.parametrize(
    ("node", "chain", "peer"),
    [("compute1", "OUTPUT", " -d 203.0.113.7/32"), ("controller", "INPUT", " -s 203.0.113.7")],
)
def test_a_rule_about_another_host_does_not_explain_it(
    look: Look, timed_out: Any, node: str, chain: str, peer: str
) -> None:
    assert look(**timed_out(node, chain, peer)).causes == []


def without_connection(
    processes: Any, *lines: str, command: str = COMPUTE, url: str = "192.0.2.10:5672"
) -> dict[str, str]:
    return sockets(*lines) | {"processes": processes(command), "services.config /etc/nova/nova.conf": CONF.format(url)}


def test_between_two_attempts_the_log_and_no_connection_tell_of_it(look: Look, logged: Any, processes: Any) -> None:
    cut_off = without_connection(processes) | {"logs.hits": logged(silence("timed out"))}
    seen = look(compute1=cut_off)
    assert set(seen.findings) == {"amqp.connection.none", "log.rpc-unreachable"}
    assert seen.causes == [("net-drop-to-broker", "compute1")]


@pytest.mark.parametrize("reason", ["ECONNREFUSED", "access refused", "TLS", "socket closed"])
def test_a_broker_that_answers_in_any_way_is_not_cut_off(look: Look, logged: Any, processes: Any, reason: str) -> None:
    answered = without_connection(processes) | {"logs.hits": logged(silence(reason))}
    assert ("net-drop-to-broker", "compute1") not in look(compute1=answered).causes


def test_what_the_log_told_long_ago_is_not_now(look: Look, logged: Any, processes: Any) -> None:
    earlier = without_connection(processes) | {"logs.hits": logged(silence("timed out", ago=900.0))}
    assert look(compute1=earlier).causes == []


def test_a_service_without_connection_is_a_note(look: Look, processes: Any) -> None:
    seen = look(compute1=without_connection(processes, url="rabbit1:5672,openstack:<redacted>@rabbit2:5672"))
    assert [str(finding.severity) for finding in seen.every] == ["info", "info"]
    assert {finding.keys["broker"] for finding in seen.every} == {"rabbit1", "rabbit2"}


@pytest.mark.parametrize(
    ("lines", "command"),
    [((ALIVE.format(0),), COMPUTE), ((), "/usr/bin/python3 /usr/bin/nova-api"), ((), "")],
    ids=["one to any broker is enough", "its connections may be in a namespace of its own", "it does not run"],
)
def test_what_has_a_connection_or_may_have_one_elsewhere_is_no_note(
    look: Look, processes: Any, lines: tuple[str, ...], command: str
) -> None:
    found = look(compute1=without_connection(processes, *lines, command=command)).findings
    assert "amqp.connection.none" not in found
