"""RabbitMQ by pika: log in as the services do, and send messages through a queue of our own."""

from __future__ import annotations

import contextlib
import logging
import ssl
import statistics
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from stackdoctor.active.outcome import Outcome, State
from stackdoctor.active.programs import NotRun
from stackdoctor.active.relay import NoWay, Relay, relay
from stackdoctor.collect.run import Options
from stackdoctor.collect.session import legible
from stackdoctor.errors import UsageError
from stackdoctor.facts.transport_url import parse_transport
from stackdoctor.model import Node

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingConnection

__all__ = ["Broker", "amqp_outcome", "brokers_of", "logged_in", "own_queue", "why_closed"]

MESSAGES = 10
SECONDS = 12.0
BLOCKED = 4.0
HEARTBEAT = 6
"""Seconds.  A broker that blocks us reads nothing, our farewell too: it finds out when it sends one of these."""


@dataclass(frozen=True)
class Broker:
    """Where to log in, and as whom.  ``tls`` is a context for amqps, None for plain AMQP."""

    host: str
    port: int
    user: str
    vhost: str
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port} vhost {self.vhost}"


def brokers_of(url: str, password: str = "", tls: ssl.SSLContext | None = None) -> tuple[Broker, ...]:
    """Every broker of a transport URL; ``password`` is for those that have none in it.  Raises UsageError.

    >>> [str(b) for b in brokers_of("rabbit://openstack:secret@ctl1:5672,openstack:secret@ctl2/nova")]
    ['openstack@ctl1:5672 vhost nova', 'openstack@ctl2:5672 vhost nova']
    """
    from stackdoctor.errors import CouldNotCheck

    try:
        transport = parse_transport(url)
    except CouldNotCheck:
        raise UsageError("that is no transport URL: rabbit://USER:PASSWORD@HOST:5672/VHOST is one") from None
    if transport.driver.partition("+")[2] not in ("", "rabbit") or transport.driver.partition("+")[0] not in (
        "rabbit",
        "kombu",
        "amqp",
        "amqps",
    ):
        raise UsageError(f"{transport.driver} is not RabbitMQ's transport: only rabbit:// can be tested")
    middle = url.partition("://")[2].partition("?")[0].rpartition("@")[0] and url.partition("://")[2].split("/")[0]
    found = []
    for part, (host, port) in zip((middle or "").split(",") or [""], transport.hosts, strict=False):
        user, _, secret = part.rpartition("@")[0].partition(":")
        vhost = unquote(transport.vhost)
        found.append(Broker(host, port, unquote(user) or "guest", vhost, unquote(secret) or password, tls))
    return tuple(found) or tuple(Broker(h, p, "guest", transport.vhost, password, tls) for h, p in transport.hosts)


def pika() -> Any:
    """The library; raises UsageError where it is not installed."""
    try:
        import pika as module
    except ImportError:
        raise UsageError("pika is not installed, which speaks AMQP: pip install 'stackdoctor[active]'") from None
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    return module


@contextlib.contextmanager
def logged_in(broker: Broker, way: Relay) -> Iterator[BlockingConnection]:
    """A connection over ``way``, closed at the end.  Raises what pika raises: see ``why_closed``."""
    module = pika()
    from pika.adapters.utils.connection_workflow import AMQPConnectorException

    options = module.SSLOptions(broker.tls, broker.host) if broker.tls is not None else None
    parameters = module.ConnectionParameters(
        "127.0.0.1",
        way.port,
        broker.vhost,
        module.PlainCredentials(broker.user, broker.password),
        ssl_options=options,
        connection_attempts=1,
        heartbeat=HEARTBEAT,
        socket_timeout=SECONDS,
        stack_timeout=SECONDS,
        blocked_connection_timeout=BLOCKED,
        client_properties={"connection_name": "stackdoctor"},
    )
    try:
        connection = module.BlockingConnection(parameters)
    except AMQPConnectorException as error:  # no AMQPError: its own time was up before the login
        way.cut("the broker takes the TCP connection and does not speak AMQP: it hangs")
        raise module.exceptions.AMQPConnectionError(error) from error
    try:
        yield connection
    finally:
        with contextlib.suppress(module.exceptions.AMQPError):
            connection.close()


def own_queue(channel: Any, **arguments: Any) -> str:
    """Declare a queue of this connection's own, which goes with it; its name."""
    name = f"reply_stackdoctor_{uuid.uuid4().hex}"
    channel.queue_declare(name, exclusive=True, auto_delete=True, arguments=arguments or None)
    return name


def why_closed(error: BaseException, broker: Broker, way: Relay | None) -> tuple[str, str]:
    """What an error of pika means and what to do about it."""
    errors = pika().exceptions
    code, text = getattr(error, "reply_code", 0), legible(str(getattr(error, "reply_text", "")))
    if way is not None and way.given_up:
        return way.given_up, "The broker takes connections and is stuck, or the way to it loses packets."
    if untrusted := _untrusted(error):
        advice = "`--ca FILE` names the authority that signed it (transport_url's ssl_ca_file in the services' files)."
        return f"its certificate is not trusted, and nothing was sent: {untrusted}", advice
    if isinstance(error, errors.ProbableAuthenticationError | errors.AuthenticationError) or (
        code == 403 and isinstance(error, errors.ConnectionClosedByBroker)
    ):
        advice = f"`rabbitmqctl authenticate_user {broker.user}` tells; compare transport_url in the services' files."
        return f"ACCESS_REFUSED: the broker does not accept the password of {broker.user}, or has no such user", advice
    if code == 530 or isinstance(error, errors.ProbableAccessDeniedError):
        missing = "not found" in f"{text} {error}"
        what = "does not exist" if missing else f"may not be entered by {broker.user}"
        advice = (
            "`rabbitmqctl list_vhosts` lists them; transport_url names it after the last slash."
            if missing
            else f"`rabbitmqctl set_permissions -p {broker.vhost} {broker.user} '.*' '.*' '.*'` lets it in."
        )
        return f"NOT_ALLOWED: the virtual host {broker.vhost} {what}", advice
    if code == 403:
        advice = f"`rabbitmqctl list_permissions -p {broker.vhost}` shows what {broker.user} may do."
        return f"ACCESS_REFUSED: {broker.user} may log in and may not do this: {text}", advice
    if isinstance(error, errors.ConnectionBlockedTimeout):
        advice = "`rabbitmqctl status` lists the alarms: free memory or disk on the broker."
        return "connection.blocked: the broker has a resource alarm and takes no messages", advice
    if isinstance(error, errors.AMQPHeartbeatTimeout):
        return "the broker answers no heartbeat: it hangs", "Look at its log and its load."
    if isinstance(error, errors.IncompatibleProtocolError):
        return "the connection was closed before the AMQP login", "Is it a broker, and does it want TLS (--tls)?"
    if code:
        return f"the broker closed with {code}: {text}", "Its log has the reason."
    detail = legible(repr(error.args[0]) if error.args else str(error)) or type(error).__name__
    return f"the connection was lost: {detail}", "The broker's log has the reason."


def _untrusted(error: BaseException) -> str:
    """Why the broker's certificate is refused, wherever in ``error`` pika has left it; empty where it is not."""
    waiting: list[object] = [error]
    for _ in range(50):
        if not waiting:
            break
        found = waiting.pop()
        if isinstance(found, ssl.SSLCertVerificationError):
            return legible(found.verify_message)
        if isinstance(found, BaseException):
            waiting += [*found.args, found.__cause__, found.__context__, getattr(found, "exception", None)]
    return ""


def amqp_outcome(where: str, broker: Broker, node: Node | None, options: Options) -> Outcome:
    """Log in from ``node`` (None: from here) and pass messages through a queue that goes with the connection."""
    errors = pika().exceptions
    way: Relay | None = None
    blocked: list[str] = []
    try:
        with relay(broker.host, broker.port, node, options) as way:
            late = f"the broker did not answer within {SECONDS:g} s"
            with way.within(SECONDS + 1, late):
                began = time.monotonic()
                with logged_in(broker, way) as connection:
                    login = (time.monotonic() - began) * 1000
                    connection.add_on_connection_blocked_callback(
                        lambda _, frame: blocked.append(legible(str(frame.method.reason)))
                    )
                    confirms, deliveries = _messages(connection.channel())
    except NotRun as why:
        return Outcome(where, State.NOT_RUN, f"could not be run: {why}")
    except NoWay as why:
        return Outcome(where, State.FAILED, str(why), "`ss -ltn` on the broker shows what it listens on.")
    except (errors.AMQPError, OSError) as error:
        says, advice = why_closed(error, broker, way)
        if blocked:
            says = f"connection.blocked: the broker takes no messages ({blocked[0]})"
            advice = "`rabbitmqctl status` lists the alarms: free memory or disk on the broker."
        return Outcome(where, State.FAILED, f"{broker}: {says}", advice)
    values = {"login": login, "confirm": confirms, "deliver": deliveries, "messages": MESSAGES}
    says = (
        f"{broker}: logged in in {login:.0f} ms; {MESSAGES} messages, each confirmed in"
        f" {statistics.median(confirms):.1f} ms and delivered in {statistics.median(deliveries):.1f} ms (medians)"
    )
    return Outcome(where, State.OK, says, "Through SSH the times have its way in them." if node else "", values)


def _messages(channel: Any) -> tuple[list[float], list[float]]:
    """Milliseconds until the confirmation and until the delivery of each message."""
    module = pika()
    channel.confirm_delivery()
    queue = own_queue(channel)
    came = channel.consume(queue, auto_ack=True, inactivity_timeout=SECONDS)
    confirms, deliveries = [], []
    for number in range(MESSAGES):
        began = time.monotonic()
        properties = module.BasicProperties(expiration="60000", delivery_mode=1)
        channel.basic_publish("", queue, b"%d" % number, properties, mandatory=True)
        confirms.append((time.monotonic() - began) * 1000)
        method, _, _ = next(came)
        if method is None:
            raise module.exceptions.AMQPError("the broker took a message and did not deliver it")
        deliveries.append((time.monotonic() - began) * 1000)
    channel.cancel()
    return confirms, deliveries
