"""RPC calls as the broker's own tracer (rabbitmq.com/firehose.html) shows them, read for some seconds."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from typing import Any

from stackdoctor.active.amqp import Broker, logged_in, own_queue, pika, why_closed
from stackdoctor.active.dissect import RpcMessage
from stackdoctor.active.programs import NotRun, probe_of
from stackdoctor.active.relay import NoWay, Relay, relay
from stackdoctor.collect.run import Options
from stackdoctor.model import Node, Probe

__all__ = ["EXCHANGE", "PROBE", "Reader", "message_of", "tracing_probe"]

EXCHANGE = "amq.rabbitmq.trace"
PROBE = "rpc.tracing"
MOST = 20_000
START = 30.0
"""Seconds for the commands that switch the tracer on and off, each of which starts an Erlang machine."""


def tracing_probe(vhost: str, seconds: float) -> Probe:
    """What switches the tracer on, waits, and switches it off again."""
    return probe_of(PROBE, "tracing", (vhost, f"{seconds:g}"), seconds + 3 * START)


def message_of(routing_key: str, headers: Mapping[str, Any], body: bytes, now: float) -> RpcMessage | None:
    """What the tracer says of one message, None where it is no RPC message; ``now`` is when it was read."""
    way, _, _ = routing_key.partition(".")
    try:
        outer = json.loads(body)
        inner = json.loads(outer["oslo.message"]) if "oslo.message" in outer else outer
    except (ValueError, TypeError, RecursionError):
        return None
    if way not in ("publish", "deliver") or not isinstance(inner, dict):
        return None
    keys = headers.get("routing_keys") or [""]
    return RpcMessage(
        time=now,
        way=way,
        exchange=str(headers.get("exchange_name", "")),
        routing_key=str(keys[0])[:300],
        method=str(inner.get("method") or "")[:100],
        message_id=str(inner.get("_msg_id") or "")[:64],
        reply_to=str(inner.get("_reply_q") or "")[:100],
        failed=bool(inner.get("failure")),
        client=str(headers.get("connection", "")).partition(":")[0][:60],
    )


class Reader(threading.Thread):
    """Reads what is traced until it is stopped; ``failure`` says why there is nothing."""

    def __init__(self, broker: Broker, node: Node | None, options: Options) -> None:
        super().__init__(name="reads the trace", daemon=True)
        self.messages: list[RpcMessage] = []
        self.failure = ""
        self.advice = ""
        self.cut = False
        self.ready = threading.Event()
        self._broker, self._node, self._options = broker, node, options
        self._ending = threading.Event()

    def stop(self) -> None:
        """End, with what there is."""
        self._ending.set()
        self.join(10.0)

    def run(self) -> None:
        """Bind a queue of our own to the tracer's exchange, and read it."""
        errors = pika().exceptions
        way: Relay | None = None
        try:
            with (
                relay(self._broker.host, self._broker.port, self._node, self._options) as way,
                logged_in(self._broker, way) as connection,
            ):
                channel = connection.channel()
                limits = {"x-max-length": MOST, "x-max-length-bytes": 64 * 1024 * 1024}
                queue = own_queue(channel, **limits)
                channel.queue_bind(queue, EXCHANGE, "#")
                channel.basic_consume(queue, self._take, auto_ack=True)
                self.ready.set()
                while not self._ending.is_set():
                    connection.process_data_events(0.2)
        except (NotRun, NoWay) as why:
            self.failure = str(why)
        except (errors.AMQPError, OSError) as error:
            self.failure, self.advice = why_closed(error, self._broker, way)
        finally:
            self.ready.set()

    def _take(self, _: Any, method: Any, properties: Any, body: bytes) -> None:
        with contextlib.suppress(AttributeError, LookupError):
            found = message_of(method.routing_key, properties.headers or {}, body, time.time())
            if found is not None and len(self.messages) < MOST:
                self.messages.append(found)
            self.cut = self.cut or len(self.messages) >= MOST
