"""The way to the broker: lost packets, and what only looks like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Look = Callable[..., Any]

SS = "State    Recv-Q Send-Q  Local Address:Port     Peer Address:Port Process\n"
WAITS = 'SYN-SENT 0      1      192.0.2.20:33784  192.0.2.10:5672  users:(("nova-compute",pid=396,fd=26))\n'
ALIVE = 'ESTAB    0      {}      192.0.2.20:33790  192.0.2.10:5672  users:(("nova-compute",pid=396,fd=27))\n'
LISTENING = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
COMPUTE = "/usr/bin/python3 /usr/bin/nova-compute --config-file=/etc/nova/nova.conf"
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
