"""A ping in oslo.messaging's own envelope to the queues of RPC servers, and who answers.

To a server of Nova it is the ping that every one of them has (nova/baserpc.py), which returns its argument.  To others
it is a method that no server has: the dispatcher of oslo.messaging (rpc/dispatcher.py) looks for an endpoint of that
namespace, version and method, finds none, calls nothing, and answers with NoSuchMethod or UnsupportedVersion.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackdoctor.active.amqp import Broker, logged_in, own_queue, pika, why_closed
from stackdoctor.active.outcome import Outcome, State
from stackdoctor.active.programs import NotRun
from stackdoctor.active.relay import NoWay, Relay, relay
from stackdoctor.collect.run import Options
from stackdoctor.collect.session import legible
from stackdoctor.model import Node

__all__ = ["NOVA_TOPICS", "PINGED", "Reply", "envelope", "ping_servers", "reply_of"]

NOVA_TOPICS = ("conductor", "scheduler", "compute", "consoleauth", "cert", "console", "cells")
PINGED = "stackdoctor_ping_ignore_errors"
"""No server has it.  With these last words oslo.messaging does not log that it is unknown as an error."""

VERSIONS = {"cinder-scheduler": "3.0", "cinder-volume": "3.0", "cinder-backup": "2.0"}
"""Of a version that its endpoints do not speak a server logs an error; the others speak 1.x."""

_NOBODY = "no server consumes this queue"


@dataclass(frozen=True)
class Reply:
    """What a server said, and after how many milliseconds."""

    milliseconds: float
    says: str


def envelope(topic: str, message_id: str, reply_queue: str, seconds: float) -> bytes:
    """A call as oslo.messaging puts it on the wire (_drivers/common.py serialize_msg, amqp.py pack_context)."""
    nova = topic in NOVA_TOPICS
    message: dict[str, Any] = {
        "method": "ping" if nova else PINGED,
        "args": {"arg": "stackdoctor"} if nova else {},
        "version": VERSIONS.get(topic, "1.0"),
        "_msg_id": message_id,
        "_reply_q": reply_queue,
        "_timeout": None,
        "_unique_id": uuid.uuid4().hex,
        "_context_is_admin": False,
        "_context_roles": [],
        "_context_read_only": False,
        "_context_show_deleted": False,
        "_context_request_id": f"req-{uuid.uuid4()}",
    }
    if nova:
        message["namespace"] = "baseapi"
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()


def reply_of(body: bytes) -> tuple[str, str]:
    """The message id of a reply and what it says; two empty texts where it is none."""
    try:
        outer = json.loads(body)
        inner = json.loads(outer["oslo.message"])
        id_, failure = str(inner["_msg_id"]), inner.get("failure")
        kind = str(json.loads(failure).get("class", "")) if failure else ""
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "", ""
    if not failure:
        return id_, "pong"
    if kind in ("NoSuchMethod", "UnsupportedVersion"):
        return id_, "answered that it does not know the method, as it should,"
    return id_, f"answered with {legible(kind, 60)}"


def ping_servers(
    queues: Mapping[str, str], broker: Broker, node: Node | None, options: Options, seconds: float
) -> Sequence[Outcome]:
    """Ping each queue (name: topic) at once from ``node`` (None: from here), and wait ``seconds`` for the answers."""
    errors = pika().exceptions
    way: Relay | None = None
    limit = seconds + len(queues) * 0.05 + 15
    try:
        with (
            relay(broker.host, broker.port, node, options) as way,
            way.within(limit, f"the broker did not answer within {limit:.0f} s"),
            logged_in(broker, way) as connection,
        ):
            return _ping(connection, queues, seconds)
    except (NotRun, NoWay) as why:
        return [Outcome(str(broker), State.NOT_RUN, f"could not be run: {why}")]
    except (errors.AMQPError, OSError) as error:
        says, advice = why_closed(error, broker, way)
        return [Outcome(str(broker), State.NOT_RUN, says, advice)]


def _ping(connection: Any, queues: Mapping[str, str], seconds: float) -> list[Outcome]:
    module = pika()
    channel = connection.channel()
    reply_queue = own_queue(channel)
    # servers before oslo.messaging 5 answer to an exchange of the queue's name; it goes with its last binding
    channel.exchange_declare(reply_queue, "direct", durable=False, auto_delete=True)
    channel.queue_bind(reply_queue, reply_queue, reply_queue)
    consumers = {queue: _state(connection, queue)[1] for queue in queues}
    sent: dict[str, tuple[str, float]] = {}
    replies: dict[str, Reply] = {}

    def take(_: Any, __: Any, ___: Any, body: bytes) -> None:
        id_, says = reply_of(body)
        if id_ in sent:
            queue, began = sent[id_]
            replies.setdefault(queue, Reply((time.monotonic() - began) * 1000, says))

    channel.basic_consume(reply_queue, take, auto_ack=True)
    properties = module.BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=1,
        expiration=str(int(seconds * 1000)),
    )
    for queue, topic in queues.items():
        if consumers[queue]:
            id_ = uuid.uuid4().hex
            sent[id_] = queue, time.monotonic()
            channel.basic_publish("", queue, envelope(topic, id_, reply_queue, seconds), properties)
            connection.process_data_events(0)
    end = time.monotonic() + seconds
    while len(replies) < len(sent) and time.monotonic() < end:
        connection.process_data_events(min(0.5, max(0.0, end - time.monotonic())))
    return [_outcome(connection, queue, consumers[queue], replies.get(queue), seconds) for queue in queues]


def _state(connection: Any, queue: str) -> tuple[int, int]:
    """Messages that wait in the queue, and consumers; both 0 where there is no such queue."""
    errors = pika().exceptions
    channel = connection.channel()
    try:
        method = channel.queue_declare(queue, passive=True).method
        channel.close()
    except errors.ChannelClosedByBroker as error:
        if error.reply_code == 405:  # another connection's own: it is there, and its server alone consumes it
            return 0, 1
        return 0, 0
    return int(method.message_count), int(method.consumer_count)


def _outcome(connection: Any, queue: str, consumers: int, reply: Reply | None, seconds: float) -> Outcome:
    values: dict[str, Any] = {"consumers": consumers, "milliseconds": reply.milliseconds if reply else None}
    if reply is not None:
        return Outcome(queue, State.OK, f"{reply.says} in {reply.milliseconds:.0f} ms", values=values)
    if not consumers:
        advice = "Its service is down, or has lost its connection to the broker: nothing was sent."
        return Outcome(queue, State.FAILED, _NOBODY, advice, values)
    waiting, _ = _state(connection, queue)
    values["waiting"] = waiting
    if waiting:
        says = f"silent for {seconds:g} s; {waiting} messages wait in its queue"
        return Outcome(queue, State.FAILED, says, "Its server takes no messages: it is busy or hangs.", values)
    says = f"silent for {seconds:g} s; its server took the message"
    advice = (
        "It hangs between taking and answering (frozen, a blocked thread, a dead database), or its answers are lost."
    )
    return Outcome(queue, State.FAILED, says, advice, values)
