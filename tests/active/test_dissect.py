"""AMQP and HTTP found by the real tshark in frames as they are on the wire: in VLANs, in tunnels, over IPv6."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.utils import wrpcap

from stackdoctor.active.dissect import dissect

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark: package tshark")

TOKEN = "gAAAAABnotoken-4711"
GET = (f"GET /v2.1/servers?secret=4711 HTTP/1.1\r\nHost: api\r\nX-Auth-Token: {TOKEN}\r\n\r\n").encode()
ANSWER = b"HTTP/1.1 503 Unavailable\r\nx-openstack-request-id: req-1\r\nContent-Length: 0\r\n\r\n"


def frame(kind: int, payload: bytes) -> bytes:
    """A frame of AMQP 0-9-1 (its specification, 2.3.5)."""
    return struct.pack("!BHI", kind, 1, len(payload)) + payload + b"\xce"


def short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def publish(routing_key: str, message: dict[str, Any]) -> bytes:
    """Basic.Publish with oslo.messaging's envelope."""
    body = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()
    method = struct.pack("!HHH", 60, 40, 0) + short("nova") + short(routing_key) + b"\0"
    header = struct.pack("!HHQH", 60, 0, len(body), 0)
    return frame(1, method) + frame(2, header) + frame(3, body)


CALL = publish("conductor", {"method": "ping", "_msg_id": "9e0c", "_reply_q": "reply_1", "args": {"p": "s3cr3t-arg"}})


def addressed(around: str, client: str, server: str) -> Any:
    """The headers up to TCP's."""
    inner = (IPv6 if ":" in client else IP)(src=client, dst=server)
    if around == "vlan":
        return Ether() / Dot1Q(vlan=101) / inner
    if around == "vxlan":
        outer = Ether() / IP(src="192.0.2.20", dst="192.0.2.10") / UDP(sport=40000, dport=4789)
        return outer / VXLAN(vni=822, flags="Instance") / Ether() / inner
    return Ether() / inner


@pytest.mark.parametrize("around", ["plain", "vlan", "vxlan"])
@pytest.mark.parametrize(("client", "server"), [("198.51.100.21", "198.51.100.10"), ("2001:db8::21", "2001:db8::10")])
def test_calls_are_found_whatever_is_around_them(tmp_path: Path, around: str, client: str, server: str) -> None:
    forth, back = addressed(around, client, server), addressed(around, server, client)
    frames = [
        forth / TCP(sport=40001, dport=5672, seq=1, ack=1, flags="PA") / CALL,
        forth / TCP(sport=40002, dport=8774, seq=1, ack=1, flags="PA") / GET,
        back / TCP(sport=8774, dport=40002, seq=1, ack=1 + len(GET), flags="PA") / ANSWER,
    ]
    file = tmp_path / "some.pcap"
    wrpcap(str(file), frames)
    messages, closed, calls = dissect(file)

    assert closed == ()
    (message,) = messages
    assert (message.way, message.routing_key, message.method, message.client) == (
        "publish",
        "conductor",
        "ping",
        client,
    )
    (call,) = calls
    host = f"[{server}]" if ":" in server else server
    assert (call.method, call.path, call.server) == ("GET", "/v2.1/servers", f"{host}:8774")
    assert (call.status, call.request_id) == (503, "req-1")
    assert TOKEN not in repr((messages, calls))
    assert "s3cr3t-arg" not in repr((messages, calls))
