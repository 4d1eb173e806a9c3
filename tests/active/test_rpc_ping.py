"""The ping's envelope, read by oslo.messaging itself, and that it calls nothing where there is no ping."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import oslo_messaging
import pytest
from oslo_messaging._drivers import amqp as oslo_amqp
from oslo_messaging._drivers import common as oslo_common
from oslo_messaging.rpc import dispatcher

from stackdoctor.active.rpc_ping import PINGED, envelope, reply_of


class BaseAPI:
    """As in nova/baserpc.py."""

    target = oslo_messaging.Target(namespace="baseapi", version="1.1")

    def ping(self, context: Any, arg: Any) -> dict[str, Any]:
        return {"service": "compute", "arg": arg}


class Manager:
    """A manager whose every attribute is a method that tells of its call."""

    target = oslo_messaging.Target(version="1.4")

    def __init__(self) -> None:
        self.called: list[str] = []

    def create(self, context: Any, **arguments: Any) -> None:
        self.called.append("create")

    def ping(self, context: Any, **arguments: Any) -> None:
        self.called.append("ping")


def received(topic: str) -> Any:
    """The message as the driver gives it to the dispatcher."""
    message = oslo_common.deserialize_msg(json.loads(envelope(topic, "a" * 32, "reply_x", 5)))
    context = oslo_amqp.unpack_context(message)
    assert (context.msg_id, context.reply_q) == ("a" * 32, "reply_x")
    return SimpleNamespace(message=message, ctxt=context.to_dict(), client_timeout=context.client_timeout)


def test_nova_answers_its_own_ping() -> None:
    serving = dispatcher.RPCDispatcher([Manager(), BaseAPI()], None)
    assert serving.dispatch(received("compute")) == {"service": "compute", "arg": "stackdoctor"}


@pytest.mark.parametrize("topic", ["l3_agent", "compute"])
def test_a_server_without_the_method_refuses_and_calls_nothing(topic: str) -> None:
    manager = Manager()
    serving = dispatcher.RPCDispatcher([manager], None)
    with pytest.raises((dispatcher.NoSuchMethod, dispatcher.UnsupportedVersion)):
        serving.dispatch(received(topic))
    assert manager.called == []


def test_the_refusal_is_not_logged_as_an_error_by_servers_of_that_version() -> None:
    with pytest.raises(dispatcher.NoSuchMethod) as refused:
        dispatcher.RPCDispatcher([Manager()], None).dispatch(received("l3_agent"))
    assert refused.value.method == PINGED
    assert PINGED.endswith("_ignore_errors")  # oslo_messaging/rpc/server.py


def reply(failure: object = None) -> bytes:
    told = {"result": 1, "failure": failure and json.dumps(failure), "ending": True, "_msg_id": "m1"}
    return json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(told)}).encode()


def test_a_refusal_is_an_answer_and_another_failure_is_told() -> None:
    assert reply_of(reply()) == ("m1", "pong")
    assert "does not know the method" in reply_of(reply({"class": "UnsupportedVersion"}))[1]
    assert reply_of(reply({"class": "DBError\x1b[2J"})) == ("m1", "answered with DBError [2J")


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"oslo.message": "[]"}', b"\xff", b"[" * 9000])
def test_what_is_no_reply_is_none(body: bytes) -> None:
    assert reply_of(body) == ("", "")
