"""AMQP and HTTP in a capture, dissected by tshark: what was published to which queue, which API calls were answered.

Of a message's body only its method, message id, reply queue and whether it failed are read; of a request only its
method, path, status and request id: arguments, tokens and passwords stay where they are.
"""

from __future__ import annotations

import binascii
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackdoctor.errors import UsageError

__all__ = ["Closed", "HttpCall", "RpcMessage", "dissect"]

AMQP_PORT = 5672
HTTP_PORTS = (80, 5000, 35357, 8004, 8774, 8775, 8776, 8778, 9292, 9696, 8080, 8041, 8042)
"""The services' own (docs.openstack.org/install-guide/firewalls-default-ports.html)."""

_BASIC, _CHANNEL, _CONNECTION = 60, 20, 10
_PUBLISH, _RETURN, _DELIVER = 40, 50, 60
_CHANNEL_CLOSE, _CONNECTION_CLOSE = 40, 50
_METHOD, _HEADER, _BODY = 1, 2, 3


@dataclass(frozen=True)
class RpcMessage:
    """One message on the wire.  ``way`` is publish, deliver or return (the broker had no queue for it).

    ``method`` is empty in replies; ``reply_to`` is empty in casts and replies.
    """

    time: float
    way: str
    exchange: str
    routing_key: str
    method: str
    message_id: str
    reply_to: str
    failed: bool
    client: str


@dataclass(frozen=True)
class Closed:
    """A channel or a connection that one side closed, with the code and the words that it gave."""

    time: float
    what: str
    by: str
    code: int
    text: str


@dataclass(frozen=True)
class HttpCall:
    """One API request, and its answer where there is one: ``status`` 0 and ``seconds`` None if there is none."""

    time: float
    method: str
    path: str
    server: str
    status: int
    seconds: float | None
    request_id: str


def dissect(
    file: Path, http_ports: Sequence[int] = HTTP_PORTS
) -> tuple[tuple[RpcMessage, ...], tuple[Closed, ...], tuple[HttpCall, ...]]:
    """What ``file`` has of AMQP and HTTP.  Raises UsageError without tshark, or where it cannot read the file."""
    if shutil.which("tshark") is None:
        raise UsageError(
            "tshark is not here, which dissects AMQP and HTTP: install the package tshark (or wireshark-cli)"
        )
    try:
        import pyshark  # type: ignore[import-untyped]
    except ImportError:
        raise UsageError("pyshark is not installed: pip install 'stackdoctor[capture]'") from None
    messages: list[RpcMessage] = []
    closed: list[Closed] = []
    calls: dict[tuple[str, int], HttpCall] = {}
    ports = {f"tcp.port=={port}": "http" for port in http_ports if port not in (80, 8080)}
    capture = pyshark.FileCapture(str(file), display_filter="amqp.type or http", decode_as=ports, keep_packets=False)
    try:
        for packet in capture:
            layers = [layer for layer in packet.layers if layer.layer_name == "amqp"]
            for found in _amqp(packet, layers):
                (closed if isinstance(found, Closed) else messages).append(found)  # type: ignore[arg-type]
            if "HTTP" in packet:
                _http(packet, calls)
    except pyshark.capture.capture.TSharkCrashException as error:
        if not messages and not calls:
            raise UsageError(f"tshark cannot read {file}: {str(error)[:200]}") from None
    finally:
        capture.close()
    return tuple(messages), tuple(closed), tuple(calls.values())


def _ends(packet: Any) -> tuple[str, str]:
    """Source and destination of the innermost IP header: a tunnel has its own before it."""
    headers = [layer for layer in packet.layers if layer.layer_name in ("ip", "ipv6")]
    return (str(headers[-1].src), str(headers[-1].dst)) if headers else ("", "")


def _number(layer: Any, field: str) -> int:
    try:
        return int(str(layer.get(field)), 0)
    except (TypeError, ValueError):
        return -1


def _text(layer: Any, field: str) -> str:
    value = layer.get(field)
    return "" if value is None else str(value)[:300]


def _amqp(packet: Any, layers: Sequence[Any]) -> Iterator[RpcMessage | Closed]:
    time = float(packet.sniff_timestamp)
    from_broker = int(packet.tcp.srcport) == AMQP_PORT
    source, destination = _ends(packet)
    client = destination if from_broker else source
    method: Any = None
    for layer in layers:
        kind = _number(layer, "type")
        class_, number = _number(layer, "method_class"), _number(layer, "method_method")
        if kind == _METHOD and (class_, number) in ((_CHANNEL, _CHANNEL_CLOSE), (_CONNECTION, _CONNECTION_CLOSE)):
            what = "channel" if class_ == _CHANNEL else "connection"
            by = "broker" if from_broker else client
            code, text = _number(layer, "method_arguments_reply_code"), _text(layer, "method_arguments_reply_text")
            yield Closed(time, what, by, code, text)
        elif kind == _METHOD:
            method = layer if class_ == _BASIC and number in (_PUBLISH, _RETURN, _DELIVER) else None
        elif kind == _BODY and method is not None:
            yield _message(time, method, _body(layer), client)
            method = None


def _message(time: float, method: Any, body: dict[str, Any], client: str) -> RpcMessage:
    way = {_PUBLISH: "publish", _RETURN: "return", _DELIVER: "deliver"}[_number(method, "method_method")]
    return RpcMessage(
        time=time,
        way=way,
        exchange=_text(method, "method_arguments_exchange"),
        routing_key=_text(method, "method_arguments_routing_key"),
        method=str(body.get("method") or "")[:100],
        message_id=str(body.get("_msg_id") or "")[:64],
        reply_to=str(body.get("_reply_q") or "")[:100],
        failed=bool(body.get("failure")),
        client=client,
    )


def _body(layer: Any) -> dict[str, Any]:
    """The message inside oslo.messaging's envelope (``oslo.version`` 2.0); empty where it is none."""
    try:
        value = json.loads(binascii.unhexlify(_payload(layer)))
        inner = json.loads(value["oslo.message"]) if "oslo.message" in value else value
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return inner if isinstance(inner, dict) else {}


def _payload(layer: Any) -> str:
    value = layer.get("payload")
    return "" if value is None else str(value).replace(":", "")


def _http(packet: Any, calls: dict[tuple[str, int], HttpCall]) -> None:
    http, time = packet.http, float(packet.sniff_timestamp)
    if http.get("request_method") is not None:
        address = _ends(packet)[1]
        host = f"[{address}]" if ":" in address else address
        server = f"{host}:{packet.tcp.dstport}"
        path = _text(http, "request_uri").partition("?")[0]
        key = (str(packet.tcp.stream), int(packet.number))
        calls[key] = HttpCall(time, _text(http, "request_method"), path, server, 0, None, "")
    elif http.get("request_in") is not None:
        key = (str(packet.tcp.stream), _number(http, "request_in"))
        asked = calls.get(key)
        if asked is not None:
            calls[key] = HttpCall(
                asked.time,
                asked.method,
                asked.path,
                asked.server,
                max(_number(http, "response_code"), 0),
                time - asked.time,
                _request_id(http),
            )


def _request_id(http: Any) -> str:
    for line in http.get_field("response_line").all_fields if http.get("response_line") is not None else ():
        name, _, value = str(line.get_default_value()).partition(":")
        if name.lower() in ("x-openstack-request-id", "x-compute-request-id"):
            return value.strip()[:80]
    return ""
