"""What answers of the programs on nodes say, from their real output and from that of what answers otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from stackdoctor.active.amqp import Broker, brokers_of
from stackdoctor.active.offers import dhcp_outcome
from stackdoctor.active.outcome import Outcome, State, exit_status
from stackdoctor.active.portal import portal_outcome
from stackdoctor.active.proxy import proxy_outcome
from stackdoctor.active.reach import mtu_outcome, ping_outcome
from stackdoctor.active.rpc_live import message_of
from stackdoctor.errors import UsageError

ROUTE = {"device": "ns-da146156-92", "source": "10.10.0.2", "via": "", "error": ""}
NODE = {"controller": "10.10.0.2", "compute2": "10.10.0.3"}


def frame(server: str = "10.10.0.2", address: str = "10.10.0.28", kind: str = "offer") -> dict[str, Any]:
    options = [("message-type", kind), ("server_id", server), ("lease_time", 120), ("router", "10.10.0.1"), "end"]
    packet = Ether(src="fa:16:3e:8e:43:e5") / IP(src=server) / UDP(sport=67, dport=68)
    packet /= BOOTP(op=2, yiaddr=address) / DHCP(options=options)
    return {"ms": 3.0, "frame": bytes(packet).hex()}


def dhcp(*frames: dict[str, Any]) -> Outcome:
    return dhcp_outcome("brq1 on controller", "fa:16:3e:2e:02:e7", NODE, {"sent": 3, "frames": list(frames)})


def test_offers_of_all_servers_with_one_address_are_right() -> None:
    outcome = dhcp(frame(), frame("10.10.0.3"))
    assert outcome.state is State.OK
    assert outcome.values["offers"][0]["options"]["router"] == "10.10.0.1"


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ((), "no offer"),
        ((frame(kind="nak"),), "no offer"),
        (({"ms": 1.0, "frame": "zz"}, {"ms": 1.0, "frame": "00" * 400}), "no offer"),
        ((frame(),), "silent: 10.10.0.3 on compute2"),
        ((frame(), frame("10.10.0.3", "10.10.0.77")), "the offers differ"),
        ((frame(), frame("10.10.0.3"), frame("192.0.2.1")), "none of the network's"),
    ],
)
def test_offers_that_are_missing_or_strange_are_failures(frames: tuple[dict[str, Any], ...], says: str) -> None:
    outcome = dhcp(*frames)
    assert outcome.state is State.FAILED
    assert says in outcome.says


def test_silence_about_a_mac_that_no_server_knows_is_neither_right_nor_wrong() -> None:
    """A network whose only ports are its DHCP servers': each leaves out its own, so no MAC can ask them all."""
    silence = {"sent": 3, "frames": []}
    assert dhcp_outcome("here", "nobody's", NODE, silence, listed=False).state is State.NOT_RUN
    foreign = {"sent": 3, "frames": [frame("192.0.2.1")]}
    assert dhcp_outcome("here", "nobody's", NODE, foreign, listed=False).state is State.FAILED


def ping(**answer: Any) -> Outcome:
    return ping_outcome("here", "10.10.0.28", {"route": ROUTE, "errors": {}, **answer})


def test_pings_that_are_answered_filtered_lost_or_answered_by_two() -> None:
    mac = {"mac": "fa:16:3e:2e:02:e7", "ms": 0.2}
    assert ping(times=[1.0, 2.0], arp=[mac]).state is State.OK
    assert "does not answer ICMP but ARP" in ping(times=[None], arp=[mac]).says
    assert "neither ICMP nor ARP" in ping(times=[None], arp=[]).says
    assert "answered 1 of 2" in ping(times=[None, 1.0], arp=[mac]).says
    assert "claimed by 2" in ping(times=[1.0], arp=[mac, {"mac": "fa:16:3e:00:00:01", "ms": 0.3}]).says
    assert "no route" in ping_outcome("here", "192.0.2.1", {"route": {"device": "", "error": ""}}).says


def test_an_mtu_is_held_against_what_is_needed() -> None:
    answer = {"route": ROUTE, "mtu": 1450, "largest": 1450, "sent": 2}
    assert mtu_outcome("here", "a", answer).state is State.OK
    assert mtu_outcome("here", "a", answer, 1500, "vxlan").state is State.FAILED
    assert mtu_outcome("here", "a", {**answer, "largest": 1449}).state is State.FAILED
    assert mtu_outcome("here", "a", {**answer, "largest": 0}).state is State.NOT_RUN


@pytest.mark.parametrize(
    ("status", "state"), [(404, "ok"), (200, "ok"), (503, "failed"), (500, "failed"), (0, "failed")]
)
def test_a_proxy_is_judged_by_its_status(status: int, state: str) -> None:
    assert proxy_outcome("here", {"connected": True, "status": status, "ms": 3.0}).state.value == state


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"connected": False, "error": "[Errno 111] Connection refused"}, "takes no connection"),
        ({"connected": True, "error": "timed out"}, "does not answer the login"),
        ({"connected": True, "class": 2, "detail": 1}, "authentication"),
        ({"connected": True, "class": 2, "detail": 3}, "no such target"),
        ({"connected": True, "class": 9, "detail": 9}, "status 0909"),
    ],
)
def test_a_portal_that_refuses_says_why(answer: dict[str, Any], says: str) -> None:
    outcome = portal_outcome("compute1", "192.0.2.1:3260", "iqn.2010-10.org.openstack:a", answer)
    assert outcome.state is State.FAILED
    assert says in outcome.says


def test_what_could_not_be_run_is_neither_right_nor_wrong() -> None:
    ok, failed, not_run = (Outcome("a", state, "") for state in State)
    assert [exit_status(o) for o in ([ok], [ok, failed, not_run], [ok, not_run], [])] == [0, 1, 3, 3]


def test_the_password_of_a_url_is_taken_and_never_shown() -> None:
    (broker,) = brokers_of("rabbit://open%40stack:p%2Fw@192.0.2.10:5671/%2Fnova")
    assert broker == Broker("192.0.2.10", 5671, "open@stack", "/nova", "p/w")
    assert "p/w" not in repr(broker) + str(broker)
    with pytest.raises(UsageError) as refused:
        brokers_of("secret-nonsense")
    assert "secret" not in str(refused.value)
    assert [b.password for b in brokers_of("rabbit://a@192.0.2.1,a:own@192.0.2.2/", "given")] == ["given", "own"]


def test_a_traced_message_is_read_without_its_arguments() -> None:
    body = b'{"oslo.version": "2.0", "oslo.message": "{\\"method\\": \\"x\\", \\"_msg_id\\": \\"m\\", \\"args\\": 1}"}'
    headers = {"exchange_name": "nova", "routing_keys": ["conductor"], "connection": "192.0.2.1:5 -> 192.0.2.2:5672"}
    message = message_of("publish.nova", headers, body, 5.0)
    assert message is not None
    assert (message.way, message.routing_key, message.method, message.client) == (
        "publish",
        "conductor",
        "x",
        "192.0.2.1",
    )
    assert message_of("publish.nova", headers, b"not json", 5.0) is None
    assert message_of("publish.nova", {}, b"[]", 5.0) is None
