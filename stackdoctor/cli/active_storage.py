"""`stackdoctor test iscsi`: a portal tried from the nodes that use it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from stackdoctor.cli.active_places import asked, test_options
from stackdoctor.cli.consent import need_consent
from stackdoctor.cli.look import Looking
from stackdoctor.cli.outcome_page import tell
from stackdoctor.errors import UsageError

if TYPE_CHECKING:
    from stackdoctor.active.outcome import Outcome

__all__ = ["iscsi"]

ISCSI_PORT = 3260


@click.command("iscsi")
@click.argument("what", metavar="PORTAL|VOLUME")
@click.option(
    "--from",
    "places",
    multiple=True,
    metavar="NODE",
    help="The nodes to try from; by default where it is used, or all.",
)
@click.option("--target", default="", metavar="IQN", help="Also ask the portal for this target.")
@test_options
def iscsi(what: str, places: tuple[str, ...], target: str, form: str, quiet: bool, yes: bool, **where: Any) -> int:
    """Log in to an iSCSI portal without attaching anything: a discovery, and the first request of a login to a target.

    With a volume, portal and target are those that guests, sessions and exports show. A session that a node has
    stays as it is. iscsiadm is not needed.
    """
    from stackdoctor.active.outcome import Outcome, State
    from stackdoctor.active.portal import portal_outcome
    from stackdoctor.active.programs import NotRun, answer_of, probe_of
    from stackdoctor.cli.active_places import known_nodes, refuse_unknown

    looking = Looking(quiet=quiet, **where)
    users: list[str] = []
    portals = [what]
    if re.fullmatch(r"(volume-)?[0-9a-f-]{36}", what):
        portals, target, users = _of_volume(looking, what)
    at = [_portal(portal) for portal in portals]
    nodes_known = known_nodes(looking)[0]
    starts = list(places or users or nodes_known)
    refuse_unknown(starts, nodes_known)
    questions = [(host, port, iqn) for host, port in at for iqn in ("-", *((target,) if target else ()))]
    told = f" and ask for {target}" if target else ""
    need_consent([f"from {start}: log in to {h}:{p}{told}, and log out" for start in starts for h, p in at], yes)
    named = {f"test.iscsi.{number}": question for number, question in enumerate(questions)}
    probes = {s: [probe_of(id_, "login", (h, str(p), iqn), 32) for id_, (h, p, iqn) in named.items()] for s in starts}
    nodes = asked(looking, probes)
    outcomes: list[Outcome] = []
    for start in starts:
        for id_, (host, port, iqn) in named.items():
            try:
                answer = answer_of(nodes[start], id_)
                outcomes.append(portal_outcome(start, f"{host}:{port}", iqn.removeprefix("-"), answer))
            except NotRun as why:
                outcomes.append(Outcome(start, State.NOT_RUN, f"could not be run: {why}"))
    return tell("iscsi", outcomes, form)


def _portal(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"\[?([0-9a-fA-F.]{7,15}|[0-9a-fA-F:]{2,45}?)\]?(?::(\d{1,5}))?", text.partition(",")[0])
    if match is None:
        raise UsageError(f"{text!r} is neither a volume nor a portal: write ADDRESS:3260")
    return match[1], int(match[2] or ISCSI_PORT)


def _of_volume(looking: Looking, what: str) -> tuple[list[str], str, list[str]]:
    """The portals of a volume, its target, and the nodes that use it."""
    from stackdoctor.cli.look import look
    from stackdoctor.diagnose.knowledge import Knowledge
    from stackdoctor.trace.volume import FACTS, volume_id, volume_of

    id_ = volume_id(what)
    volume = volume_of(look(looking, Knowledge((), (), ()), FACTS).nodes, id_)
    portals = [host for _, _, disk in volume.disks for host in disk.hosts]
    portals += [session.portal for _, session in volume.sessions]
    names = [disk.iqn for _, _, disk in volume.disks if disk.iqn] + [s.iqn for _, s in volume.sessions]
    names += [target.iqn for _, target in volume.targets]
    users = [node for node, _, _ in volume.disks] + [node for node, _ in volume.sessions]
    if not portals:
        raise UsageError(f"nothing that uses the volume {id_} tells its portal: name it, with --target")
    return list(dict.fromkeys(portals)), (names[0] if names else ""), list(dict.fromkeys(users))
