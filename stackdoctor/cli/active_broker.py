"""`stackdoctor test` of the broker and of those who serve over it: amqp, rpc; and how to log in to it."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stackdoctor.cli.active_places import known_nodes, known_options, refuse_unknown, test_options
from stackdoctor.cli.consent import need_consent
from stackdoctor.cli.look import Looking, look
from stackdoctor.cli.options import SECONDS
from stackdoctor.cli.outcome_page import tell
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.active.amqp import Broker
    from stackdoctor.model import Node, NodeResults

__all__ = ["LOGIN", "amqp", "brokers", "login_options", "places_of", "rpc"]

Command = TypeVar("Command", bound=Callable[..., Any])
URL_VARIABLE, PASSWORD_VARIABLE = "STACKDOCTOR_TRANSPORT_URL", "STACKDOCTOR_AMQP_PASSWORD"
LOGIN = ("url", "broker", "user", "vhost", "tls", "ca")
QUIET_TOPICS = ("q-agent-notifier-*", "neutron-vo-*")
"""Of an agent that serves these, the same process serves more: they are pinged only when they are named."""


def login_options(function: Command) -> Command:
    """How to log in to the broker."""
    for option in (
        click.option(
            "--ca", type=click.Path(path_type=Path), help="Who signed the broker's certificate (default: the system's)."
        ),
        click.option("--tls", is_flag=True, help="The broker speaks TLS."),
        click.option("--vhost", default="/", show_default=True, help="The virtual host."),
        click.option("--user", default="openstack", show_default=True, help="The services' user."),
        click.option("--broker", default="", metavar="HOST[:PORT]", help="The broker; its password is asked for."),
        click.option(
            "--url",
            default="",
            envvar=URL_VARIABLE,
            metavar="URL",
            help=f"transport_url of a service (or ${URL_VARIABLE}).",
        ),
    ):
        function = option(function)
    return function


def brokers(login: Mapping[str, Any]) -> tuple[Broker, ...]:
    """The brokers that the options name, with a password: of the URL, the environment or the terminal."""
    import ssl
    from dataclasses import replace
    from urllib.parse import quote

    from stackdoctor.active.amqp import brokers_of, pika

    pika()
    url = str(login["url"])
    if bool(url) == bool(login["broker"]):
        raise UsageError(
            f"name the broker: its transport URL in ${URL_VARIABLE} or --url, or --broker, --user and --vhost"
        )
    if not url:
        vhost = "" if login["vhost"] == "/" else quote(str(login["vhost"]), safe="")
        url = f"rabbit://{quote(str(login['user']), safe='')}:@{login['broker']}/{vhost}"
    tls = None
    if login["tls"] or "ssl=1" in url or "ssl=true" in url.lower():
        try:
            tls = ssl.create_default_context(cafile=str(login["ca"]) if login["ca"] else None)
        except OSError as error:
            raise UsageError(f"{login['ca']}: {error.strerror or error}") from None
    found = brokers_of(url, os.environ.get(PASSWORD_VARIABLE, ""), tls)
    if all(broker.password for broker in found):
        return found
    if not os.isatty(0):
        raise UsageError(
            f"the broker's password is neither in the URL nor in ${PASSWORD_VARIABLE}, and nobody can be asked"
        )
    password = click.prompt(f"Password of {found[0].user}", hide_input=True, err=True)
    return tuple(replace(broker, password=broker.password or password) for broker in found)


def places_of(looking: Looking, places: Sequence[str]) -> tuple[list[Node | None], Any]:
    """The nodes to start from (None: this machine), and how they are reached."""
    if tuple(places) in ((), ("here",)):
        return [None], known_options(looking, str(looking.known_hosts or ""))
    nodes, known_hosts = known_nodes(looking)
    options = known_options(looking, known_hosts)
    if "all" in places:
        return [*nodes.values()], options
    refuse_unknown(places, (*nodes, "here"))
    return [nodes.get(place) for place in places], options


from_option = click.option(
    "--from",
    "places",
    multiple=True,
    metavar="here|all|NODE",
    help="From where; a node's way goes through SSH. Default: here.",
)


@click.command("amqp")
@from_option
@login_options
@test_options
def amqp(places: tuple[str, ...], form: str, quiet: bool, yes: bool, **options: Any) -> int:
    """Log in to RabbitMQ as the services do, and pass messages through a queue that vanishes with the connection."""
    from stackdoctor.active.amqp import amqp_outcome

    login = {name: options.pop(name) for name in LOGIN}
    looking = Looking(quiet=quiet, **options)
    found = brokers(login)
    starts, ways = places_of(looking, places)
    what = "log in, declare an exclusive queue, send 10 messages of a few bytes through it, and close"
    need_consent([f"{_named(start)}: {what}, at {broker}" for start in starts for broker in found], yes)
    outcomes = [amqp_outcome(_named(start), broker, start, ways) for start in starts for broker in found]
    return tell("amqp", outcomes, form)


def _named(node: Node | None) -> str:
    return "here" if node is None else node.name


@click.command("rpc")
@click.option("--topic", "topics", multiple=True, metavar="TOPIC|QUEUE", help="Only these; * stands for anything.")
@click.option("--wait", "seconds", type=SECONDS, default="5s", show_default=True, help="How long an answer may take.")
@from_option
@login_options
@test_options
def rpc(
    topics: tuple[str, ...], seconds: float, places: tuple[str, ...], form: str, quiet: bool, yes: bool, **options: Any
) -> int:
    """Ping every RPC server by its own queue (topic.host), and say which answer and which are silent.

    Nova's servers have a ping; others are sent a method that no server has, which they refuse: an answer too,
    and nothing is called. The answers come to a queue that vanishes with the connection.
    """
    from stackdoctor.active.rpc_ping import ping_servers

    login = {name: options.pop(name) for name in LOGIN}
    looking = Looking(quiet=quiet, **options)
    found = brokers(login)[0]
    starts, ways = places_of(looking, places)
    queues = _servers(looking, found.vhost, topics)
    named = ", ".join(list(queues)[:8]) + (" ..." if len(queues) > 8 else "")
    need_consent(
        [
            f"at {found}, {_named(starts[0])}: declare an exclusive queue for answers",
            f"send one message to each of {len(queues)} queues: {named}",
            f"it expires after {seconds:g} s; a server that hangs answers it when it wakes, and logs that nobody waits",
            "old versions of services other than Nova's log an error for the method that they do not have",
        ],
        yes,
    )
    return tell("rpc", ping_servers(queues, found, starts[0], ways, seconds), form)


def _servers(looking: Looking, vhost: str, topics: Sequence[str]) -> dict[str, str]:
    """The queues of single RPC servers in the virtual host, each with its topic.  Raises UsageError for none."""
    from stackdoctor.diagnose.knowledge import Knowledge
    from stackdoctor.facts.rabbitmq import Queues

    found: dict[str, str] = {}
    why: list[str] = []
    for node in look(looking, Knowledge((), (), ()), (Queues,)).nodes:
        queues = _queues_of(node, why)
        for queue in queues or ():
            named = any(fnmatch.fnmatch(name, pattern) for name in (queue.name, queue.topic) for pattern in topics)
            noisy = any(fnmatch.fnmatch(queue.topic, pattern) for pattern in QUIET_TOPICS)
            whole = queue.kind == "rpc" and queue.name in topics
            if queue.vhost == vhost and (queue.kind == "rpc-host" or whole) and (named if topics else not noisy):
                found[queue.name] = queue.topic
    if not found:
        told = f" ({'; '.join(why[:3])})" if why else ""
        raise UsageError(
            f"no queue of an RPC server in virtual host {vhost} is called {' or '.join(topics) or 'so'}{told}"
        )
    return dict(sorted(found.items()))


def _queues_of(node: NodeResults, why: list[str]) -> Any:
    from stackdoctor.errors import CouldNotCheck, NotApplicable
    from stackdoctor.facts.rabbitmq import Queues

    try:
        return Queues.parse(node)
    except NotApplicable:
        return None
    except CouldNotCheck as error:
        why.append(f"{node.node.name}: {error}")
        return None
