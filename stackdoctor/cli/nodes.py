"""Which nodes: from an inventory, a list, the cloud's own lists, or this host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import click

from stackdoctor.cli.settings import BESIDE
from stackdoctor.errors import NothingCollected, UsageError
from stackdoctor.model import Node, NodeResults

if TYPE_CHECKING:
    from stackdoctor.cli.look import Looking

__all__ = ["nodes_to_look_at"]

_API_SECONDS = 40.0
_NO_CREDENTIALS = (
    "there are no credentials: give --os-cloud NAME of clouds.yaml or source the openrc (OS_AUTH_URL), both with"
    " openstacksdk (pip install 'stackdoctor[openstack]'), or name a controller that has one, --nodes controller"
)


def nodes_to_look_at(looking: Looking) -> tuple[tuple[Node, ...], str]:
    """The nodes and the file of known host keys (empty: the user's own); this host where none are named.

    With ``from_cloud`` the APIs are asked here, by this machine's credentials or else by those of the nodes that are
    named.  Raises UsageError, and NothingCollected where the APIs do not answer.
    """
    nodes, known_hosts = _named(looking)
    if looking.from_cloud:
        nodes = _from_cloud(looking, nodes, known_hosts)
    elif not nodes:
        nodes = (Node("localhost", named=False),)
    if looking.only:
        nodes = _chosen(nodes, looking.only)
    if looking.login:
        nodes = tuple(replace(n, user=looking.login) if n.address and not n.user else n for n in nodes)
    return nodes, known_hosts


def _named(looking: Looking) -> tuple[tuple[Node, ...], str]:
    from stackdoctor.inventory.nodelist import parse_nodes

    if looking.inventory is not None and looking.nodes is not None:
        raise UsageError("--inventory and --nodes were both given: name the nodes in one way")
    known_hosts = str(looking.known_hosts or "")
    if looking.inventory is not None:
        from stackdoctor.inventory.file import read_inventory  # and PyYAML with it

        inventory = read_inventory(looking.inventory, BESIDE)
        _say(inventory.notes, looking)
        return inventory.nodes, known_hosts or inventory.known_hosts
    return parse_nodes(looking.nodes) if looking.nodes is not None else (), known_hosts


def _say(notes: Iterable[str], looking: Looking) -> None:
    from stackdoctor.report.hostile import plain

    if not looking.quiet:
        for note in notes:
            click.echo(f"stackdoctor: {plain(note)}", err=True)


def _chosen(nodes: tuple[Node, ...], globs: tuple[str, ...]) -> tuple[Node, ...]:
    def fits(node: Node, glob: str) -> bool:
        return any(fnmatch(name, glob) for name in (node.name, node.address, *node.roles))

    for glob in globs:
        if not any(fits(node, glob) for node in nodes):
            names = ", ".join(node.name for node in nodes[:8]) + (", ..." if len(nodes) > 8 else "")
            raise UsageError(f"--only {glob}: no node is called so, nor has such a role: the nodes are {names}")
    return tuple(node for node in nodes if any(fits(node, glob) for glob in globs))


def _from_cloud(looking: Looking, named: tuple[Node, ...], known_hosts: str) -> tuple[Node, ...]:
    """``named`` and the hosts of the cloud's lists that are not among them, with the roles that these show."""
    from stackdoctor.facts.cloud_hosts import hosts_listed
    from stackdoctor.inventory.nodelist import is_ip, valid_name

    found = hosts_listed(_lists(looking, named, known_hosts))
    if not found.programs:
        raise NothingCollected(f"--from-cloud: {found.problems[0] if found.problems else _NO_CREDENTIALS}")
    _say(found.problems, looking)
    odd = [host for host in found.programs if not valid_name(host)]
    _say((f"{host!r} of the cloud's lists cannot be the name of a host, and is left out" for host in odd), looking)
    roles = dict(_roles(found.programs))
    known = {name.partition(".")[0].lower() for node in named for name in (node.name, node.address) if not is_ip(name)}
    listed = tuple(
        Node(host, host, roles=roles[host])
        for host in found.programs
        if host not in odd and host.partition(".")[0].lower() not in known
    )
    return (*(replace(n, roles=n.roles | roles.get(n.name, frozenset())) for n in named), *listed)


def _roles(programs: Mapping[str, frozenset[str]]) -> Iterator[tuple[str, frozenset[str]]]:
    from stackdoctor.diagnose.roles import ROLES

    for host, listed in programs.items():
        yield host, frozenset(role for role, of_role in ROLES.items() if of_role & listed)


def _lists(looking: Looking, named: tuple[Node, ...], known_hosts: str) -> tuple[NodeResults, ...]:
    """What the APIs answered: asked from here, or on the nodes that are named."""
    from stackdoctor.collect.api_reads import API_READS
    from stackdoctor.collect.believing import start_reading
    from stackdoctor.collect.plan import Plan
    from stackdoctor.collect.run import collect
    from stackdoctor.facts.cloud_hosts import LISTS

    probes = {probe.id for kind in LISTS.values() for probe in kind.probes}
    plan = Plan((), seconds=_API_SECONDS, apis=tuple(read for id_, read in API_READS.items() if id_ in probes))
    reading = start_reading(looking.os_cloud, plan)
    if reading is not None:
        return (reading.result(),)
    return tuple(collect(named, plan, looking.options(known_hosts))) if named else ()
