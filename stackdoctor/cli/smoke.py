"""`stackdoctor smoke`: launch a small VNF, prove that it works, remove it."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.consent import consent_option, need_consent
from stackdoctor.cli.look import Looking
from stackdoctor.cli.options import SECONDS, node_options
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.active.smoke_api import Api
    from stackdoctor.active.smoke_choice import Wanted
    from stackdoctor.active.smoke_proof import Ping
    from stackdoctor.active.smoke_removal import Left
    from stackdoctor.active.smoke_steps import Ledger, Steps, Stop
    from stackdoctor.cli.smoke_follow import Followed

__all__ = ["command"]

PREFIX = "stackdoctor-smoke-"
REMOVED = "all is removed"
INTERRUPTED = 130
REMOVING = "what was made is still being removed; once more: leave the rest of it"
MARGIN = 60.0
"""Seconds before the run whose logs are read too: clocks differ."""


@click.command("smoke")
@click.option("--hot", type=click.Path(path_type=Path), help="Launch this Heat template instead of the built-in one.")
@click.option("--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of --hot.")
@click.option("--image", default="", metavar="NAME|ID", help="By default the smallest that is active.")
@click.option("--flavor", default="", metavar="NAME|ID", help="By default the smallest.")
@click.option("--network", default="", metavar="NAME|ID", help="An existing network instead of an own one.")
@click.option("--external", default="", metavar="NAME|ID", help="Also a router to this network and a floating IP.")
@click.option("--no-volume", is_flag=True, help="No volume, no attachment.")
@click.option("--timeout", type=SECONDS, default="5m", show_default=True, help="At most so long for a step.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Write the steps there as JUnit's XML.")
@click.option("--format", "form", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@consent_option
@node_options
def command(
    hot: Path | None,
    given: tuple[str, ...],
    image: str,
    flavor: str,
    network: str,
    external: str,
    no_volume: bool,
    timeout: float,
    junit_file: Path | None,
    form: str,
    quiet: bool,
    yes: bool,
    os_cloud: str,
    **where: Any,
) -> int:
    """Launch a small VNF from outside, prove step by step that it works, and remove it.

    Server, network, security group, volume and attachment, by Heat where the cloud has it, else by calls of the
    APIs. With nodes (-i, -n) a failed step is followed into their logs, and diagnosed.

    Exit status: 0 all is proven and removed, 1 a step failed (what was left behind is said), 2 wrong use, no
    credentials or consent refused, 3 the cloud could not be asked, 130 stopped.
    """
    from stackdoctor.active.smoke_api import CouldNotRun, log_in
    from stackdoctor.active.smoke_choice import choose
    from stackdoctor.active.smoke_heat import built_in, parameters_of, read_hot

    looking = Looking(quiet=quiet, os_cloud=os_cloud, **where)
    template = read_hot(hot) if hot is not None else None
    values = _values(given)
    if values and hot is None:
        raise UsageError("--parameter is for --hot")
    if junit_file is not None and not junit_file.parent.is_dir():
        raise UsageError(f"{junit_file}: there is no directory {junit_file.parent}")
    api = log_in(os_cloud)
    if hot is not None and not api.has_heat:
        raise CouldNotRun("--hot needs Heat, and this cloud's catalog has no orchestration service")
    with _refusals():
        prefix = PREFIX + secrets.token_hex(4)
        wanted = choose(api, prefix, image, flavor, network, external, not no_volume)
    parameters = {} if template is None else parameters_of(template, wanted, values)
    if template is None and api.has_heat:
        template = built_in(wanted)
    need_consent(_plan(wanted, template is not None, hot, bool(looking.inventory or looking.nodes)), yes)
    return _run(Launch(api, wanted, template, parameters, hot is not None, timeout), looking, form, junit_file)


class _refusals:
    """What an API says while nothing has been made: the cloud cannot be asked."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from stackdoctor.active.smoke_api import CouldNotRun, brief, is_api_error

        if error is not None and is_api_error(error):
            raise CouldNotRun(f"the cloud cannot be asked what it has: {brief(error)}") from error


def _values(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if bad := [name for name, sign, _ in pairs if not sign or not name]:
        raise UsageError(f"--parameter {bad[0]!r}: write NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _plan(wanted: Wanted, by_heat: bool, hot: Path | None, nodes: bool) -> list[str]:
    own = "on a network of its own" if wanted.network is None else f"on network {wanted.network}"
    what = [f"the resources of {hot}" if hot else f"a server {own}: image {wanted.image}, flavor {wanted.flavor}"]
    if not hot:
        what += ["a security group that lets ICMP in"]
        what += ["a volume of 1 GiB, attached and detached"] if wanted.volume else []
        what += [f"a floating IP of {wanted.external}"] if wanted.external else []
    return [
        f"make {'by Heat' if by_heat else 'by calls of the APIs'}, all of it called {wanted.prefix}: {'; '.join(what)}",
        *(["ping the server from the namespace of its DHCP server, on the nodes"] if nodes else []),
        "remove all of it again, also when it is interrupted",
    ]


@dataclass(frozen=True)
class Launch:
    """What is launched: by Heat where there is a ``template``, which is the user's own where it is ``foreign``.

    ``timeout`` is in seconds, for each step.
    """

    api: Api
    wanted: Wanted
    template: dict[str, Any] | None
    parameters: dict[str, str]
    foreign: bool
    timeout: float


def _run(launch: Launch, looking: Looking, form: str, junit_file: Path | None) -> int:
    from stackdoctor.active.smoke_calls import call_steps
    from stackdoctor.active.smoke_heat import STACK
    from stackdoctor.active.smoke_proof import proof_steps
    from stackdoctor.active.smoke_steps import Ledger, Steps, Stop
    from stackdoctor.cli.smoke_follow import pinger
    from stackdoctor.cli.smoke_page import Smoked, junit, live, show_left, show_steps, smoked_value

    begun, clock = time.time(), time.monotonic()
    wanted, by_heat, own = launch.wanted, launch.template is not None, not launch.foreign
    names = (STACK,) if by_heat else call_steps(wanted)
    proofs = proof_steps(wanted.volume and own, wanted.external is not None and own)
    ledger = Ledger()
    followed: Followed | None = None
    ping = pinger(looking) if looking.inventory or looking.nodes else None
    broken: Exception | None = None
    with Stop(lambda text: click.echo(text, err=True)) as stop:
        with live(looking.quiet) as tell:
            steps = Steps((*names, *proofs, REMOVED), launch.api.requests, tell)
            try:
                _launch_and_prove(launch, steps, ledger, stop, ping)
            except Exception as error:
                broken = error  # whatever it is, what was made must go
        stopped = stop.event.is_set()
        stop.forget(REMOVING)
        if steps.failed is not None and not stopped and (looking.inventory or looking.nodes):
            followed = _followed(launch, stop, looking, begun, ledger, steps)
        with live(looking.quiet, steps.rows) as tell:
            steps.tell = tell
            left = _remove(launch, steps, ledger)
    if broken is not None:
        show_left(left)
        raise broken
    smoked = Smoked(wanted, "heat" if by_heat else "calls", tuple(steps.rows), left, time.monotonic() - clock)
    if junit_file is not None:
        junit_file.write_bytes(junit(smoked))
    if form == "json":
        from stackdoctor.cli.smoke_follow import followed_value

        value = {**smoked_value(smoked), "followed": None if followed is None else followed_value(followed)}
        click.echo(json.dumps(value, indent=2))
    else:
        show_steps(smoked, _after(followed))
    show_left(left)
    if smoked.stopped:
        return INTERRUPTED
    return 1 if smoked.failed is not None else 0


def _after(followed: Followed | None) -> Callable[[], None] | None:
    if followed is None:
        return None
    from stackdoctor.cli.smoke_follow import show_followed

    return lambda: show_followed(followed)


def _launch_and_prove(what: Launch, steps: Steps, ledger: Ledger, stop: Stop, ping: Ping | None) -> None:
    """Until all is proven, a step fails or the user has enough: which of these, the steps say."""
    from stackdoctor.active.smoke_calls import launch
    from stackdoctor.active.smoke_heat import launch_stack
    from stackdoctor.active.smoke_proof import prove
    from stackdoctor.active.smoke_steps import StepFailed, Stopped

    try:
        if what.template is None:
            launch(what.api, what.wanted, steps, ledger, stop, what.timeout)
        else:
            launch_stack(what.api, what.wanted, what.template, what.parameters, steps, ledger, stop, what.timeout)
        prove(what.api, ledger, steps, stop, what.timeout, ping, what.template is not None)
    except (StepFailed, Stopped, KeyboardInterrupt):
        return  # the step says it


def _followed(launch: Launch, stop: Stop, looking: Looking, begun: float, ledger: Ledger, steps: Steps) -> Followed:
    from stackdoctor.active.smoke_proof import ATTACHED, DETACHED, GUEST, port_of
    from stackdoctor.cli.smoke_follow import Followed, follow_up

    failed = steps.failed
    assert failed is not None
    made = [r.id for step in steps.rows for r in step.requests if r.id and r.changes and r.path.endswith("/servers")]
    of_volume = failed.name in (ATTACHED, DETACHED)
    server = "" if of_volume else next(iter(ledger.ids("server")), "")
    stop.at_once = True
    try:
        port = port_of(launch.api.connection, server) if failed.name == GUEST else ""
        looking = replace(looking, since=time.time() - begun + MARGIN)
        return follow_up(
            looking, tuple(dict.fromkeys((*(() if of_volume else made), *failed.request_ids))), server, port
        )
    except KeyboardInterrupt:
        return Followed(notes=("the look at the nodes was stopped",))
    finally:
        stop.at_once = False
        stop.forget(REMOVING)


def _remove(what: Launch, steps: Steps, ledger: Ledger) -> tuple[Left, ...]:
    from stackdoctor.active.smoke_removal import remove_all
    from stackdoctor.active.smoke_steps import StepFailed

    left: tuple[Left, ...] = ()
    with contextlib.suppress(StepFailed), steps.step(REMOVED) as say:
        left = remove_all(what.api, what.wanted.prefix, ledger, what.timeout, say)
        if left:
            raise StepFailed("left behind: " + ", ".join(f"{row.made.kind} {row.made.id}" for row in left))
        say(f"{len(ledger.rows)} things")
    return left
