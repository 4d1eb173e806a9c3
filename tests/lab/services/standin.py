"""What the stand-ins for Nova's services share: options, oslo.log's format, an RPC server, calls to the conductor.

They speak to the broker through the real oslo.messaging with Nova's topics, exchange and method names, and
log what Nova logs in the same cases; behind that there is no Nova.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import oslo_messaging
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_log import log

LOG = log.getLogger("nova.servicegroup.drivers.db")
# What a call and a connection to the broker can end with; oslo.messaging lets some of the libraries' below it through.
BROKER_ERRORS = (oslo_messaging.MessagingException, AMQPError, KombuError, OSError)
OPTIONS = (
    cfg.StrOpt("host", default=socket.gethostname()),
    cfg.IntOpt("report_interval", default=2),
    cfg.StrOpt("state_path", default="/var/lib/nova"),
    cfg.StrOpt("instances_path", default="$state_path/instances"),
)


class ContextSerializer(oslo_messaging.NoOpSerializer):
    """Sends the request context along as a dictionary, as nova.rpc.RequestContextSerializer does."""

    def serialize_context(self, context: RequestContext) -> dict[str, Any]:
        return context.to_dict()

    def deserialize_context(self, context: dict[str, Any]) -> RequestContext:
        return RequestContext.from_dict(context)


class BaseRPCAPI:
    """The one method that every Nova service answers (nova/baserpc.py)."""

    target = oslo_messaging.Target(namespace="baseapi", version="1.1")

    def __init__(self, service: str) -> None:
        self.service = service

    def ping(self, context: RequestContext, arg: Any) -> dict[str, Any]:
        return {"service": self.service, "arg": arg}


class ConductorAPI:
    """Calls to the conductor (nova/conductor/rpcapi.py)."""

    def __init__(self, transport: Any) -> None:
        target = oslo_messaging.Target(topic="conductor", version="3.0")
        self.client = oslo_messaging.get_rpc_client(transport, target, serializer=ContextSerializer())

    def object_class_action_versions(self, context: RequestContext, objname: str, objmethod: str, *args: Any) -> Any:
        return self.client.call(
            context,
            "object_class_action_versions",
            objname=objname,
            objmethod=objmethod,
            object_versions={},
            args=args,
            kwargs={},
        )


def configure() -> cfg.ConfigOpts:
    """Options from the command line and its --config-file; logging as they say."""
    program = os.path.basename(sys.argv[0])
    Path("/proc/self/comm").write_text(program[:15])
    conf = cfg.CONF  # as Nova does: oslo.messaging registers some of its options there only
    log.register_options(conf)
    conf.register_opts(OPTIONS)
    conf(sys.argv[1:], project="nova", prog=program)
    log.setup(conf, "nova")
    return conf


def serve(conf: cfg.ConfigOpts, topic: str, endpoints: Iterable[object], busy: Path | None = None) -> Any:
    """Listen on ``topic``, ``topic.HOST`` and the fanout, and return the transport.

    While there is a file ``busy``, the loop that takes messages comes round only every so many seconds as it says,
    as that of a process with one thread does (eventlet) when a method keeps it.  The file is looked for ten times a
    second meanwhile: its end lets the loop go on at once.
    """
    log.getLogger("nova.service").info("Starting %(topic)s node (version 26.0.0)", {"topic": topic})
    transport = oslo_messaging.get_rpc_transport(conf)
    target = oslo_messaging.Target(topic=topic, server=conf.host)
    server = oslo_messaging.get_rpc_server(
        transport, target, list(endpoints), executor="threading", serializer=ContextSerializer()
    )
    server.start()
    if busy is not None:
        server.listener.on_incoming_callback = kept(busy, server.listener.on_incoming_callback)
    return transport


def kept(busy: Path, deliver: Callable[[Any], None]) -> Callable[[Any], None]:
    def later(incoming: Any) -> None:
        begin = time.monotonic()
        while busy.exists() and time.monotonic() < begin + float(busy.read_text()):
            time.sleep(0.1)
        deliver(incoming)

    return later


def report_state(conf: cfg.ConfigOpts, conductor: ConductorAPI, binary: str) -> Callable[[], None]:
    """What DbDriver._report_state does: says once that the conductor is lost, once that it is back."""
    lost = threading.Event()

    def report() -> None:
        try:
            conductor.object_class_action_versions(
                RequestContext(overwrite=False), "Service", "save", conf.host, binary
            )
        except oslo_messaging.MessagingTimeout:
            if not lost.is_set():
                lost.set()
                LOG.warning("Lost connection to nova-conductor for reporting service status.", exc_info=True)
        except BROKER_ERRORS:
            LOG.exception("Unexpected error while reporting service status")
        else:
            if lost.is_set():
                lost.clear()
                LOG.info("Recovered from being unable to report status.")

    return report


def every(seconds: float, function: Callable[[], object]) -> threading.Thread:
    """Call ``function`` again and again in a thread of its own, for as long as the process lives."""

    def loop() -> None:
        pause = threading.Event()
        while not pause.wait(seconds):
            function()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    return thread


def run(main: Callable[[], object]) -> None:
    """Run a program; when its broker fails it, log that as Nova does, and start it anew a second later.

    So does its unit with Restart=on-failure and RestartSec=1.  Any other error ends it.
    """
    try:
        main()
    except BROKER_ERRORS:
        sys.excepthook(*sys.exc_info())  # oslo.log's: CRITICAL nova [-] Unhandled error
        threading.Event().wait(1)
        os.execv("/proc/self/exe", ["/usr/bin/python3", *sys.argv])
