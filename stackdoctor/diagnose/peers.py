"""What sets a node apart from its siblings: nodes of one role are set alike, but for what is their own.

Before two nodes are compared, each one's own names and addresses, and whatever is made of an id (ports, networks,
instances, MAC addresses), stand for what they are: ``tap712c9d12-a3`` is a ``tap{id}`` on each.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stackdoctor.diagnose.traits import HOSTS, KINDS, Lines, Traits, traits_of
from stackdoctor.errors import UsageError
from stackdoctor.model import API_ROLE, NodeResults

__all__ = ["PeerGroup", "PeerTrait", "compare_peers", "neutral"]

_NEUTRAL = (
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"), "{id}"),
    (re.compile(r"\b(N?IPv[46])[0-9a-f]{8}-[0-9a-f-]{1,30}"), r"\1{id}"),  # sets of Neutron's security groups
    # made of an id's first characters, or of some in its middle: tap712c9d12-a3, "Set zone for 12c9d12-a3"
    (
        re.compile(
            r"(?<![0-9a-f-])(?:[0-9a-f]{1,2}(?=[0-9a-f]{6}))?[0-9a-f]{6,8}-[0-9a-f]{1,4}(?:-[0-9a-f]{0,4}){0,3}(?![0-9A-Za-z])"
        ),
        "{id}",
    ),
    (re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])"), "{id}"),
    (re.compile(r"(?<![0-9a-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9a-f:])", re.IGNORECASE), "{mac}"),
    (re.compile(r"instance-[0-9a-f]{8}"), "instance-{id}"),
    (re.compile(r"\b(vxlan|gre|geneve)-(?:\d{1,8}|[0-9a-f]{8})\b"), r"\1-{id}"),
    (re.compile(r"\bvni \d+"), "vni {id}"),
    (re.compile(r"(--zone) \d+"), r"\1 {id}"),
    (re.compile(r"\btag \d+"), "tag {id}"),
)
_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?:/32)?(?![\w.])")
_OWN_KINDS = frozenset(("instance", "namespace"))
"""What each node has of its own by its purpose: to lack one is no difference."""


@dataclass(frozen=True)
class PeerTrait:
    """One trait in which siblings differ: the lines of each node, none where it has not got it.

    ``usual`` are the lines of most of them, None where no more than half agree; ``odd`` are the others.
    """

    kind: str
    name: str
    lines: Mapping[str, Lines | None]
    usual: Lines | None
    odd: tuple[str, ...]


@dataclass(frozen=True)
class PeerGroup:
    """Siblings (``roles`` is what they have in common) and in what they differ; what could not be compared."""

    roles: str
    nodes: tuple[str, ...]
    differences: tuple[PeerTrait, ...]
    not_compared: tuple[str, ...]


def compare_peers(nodes: Iterable[NodeResults], wanted: str = "") -> tuple[PeerGroup, ...]:
    """The siblings with the same roles, those of the role ``wanted``, or those of the node ``wanted``, compared.

    For a node only what is odd about it is told.  Raises UsageError where there is no such node or role, or nobody to
    compare it with.
    """
    answered = [n for n in nodes if n.results and API_ROLE not in n.node.roles]
    groups = _groups(answered, wanted)
    if not groups:
        known = sorted({role for n in answered for role in n.node.roles})
        raise UsageError(
            f"no two nodes have the same roles; `--peers ROLE` takes those of one role: {', '.join(known)}"
        )
    one = wanted if any(n.node.name == wanted for n in answered) else ""
    return tuple(_compared(roles, members, one) for roles, members in groups)


def _groups(nodes: Sequence[NodeResults], wanted: str) -> list[tuple[str, list[NodeResults]]]:
    by_name = {n.node.name: n for n in nodes}
    if wanted in by_name:
        roles = by_name[wanted].node.roles
        alike = [n for n in nodes if n.node.roles == roles]
        if len(alike) == 1:
            alike = [n for n in nodes if n.node.roles & roles]
        if len(alike) == 1:
            raise UsageError(
                f"{wanted} ({', '.join(sorted(roles)) or 'no role'}) has no sibling of its role in this look"
            )
        return [(_named(roles), alike)]
    if wanted:
        of_role = [n for n in nodes if wanted in n.node.roles]
        if not of_role:
            known = sorted({*by_name, *(role for n in nodes for role in n.node.roles)})
            near = difflib.get_close_matches(wanted, known, 3)
            raise UsageError(
                f"no node and no role is called {wanted!r}: "
                + (f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known[:12])}")
            )
        if len(of_role) == 1:
            raise UsageError(
                f"{of_role[0].node.name} is the only node of the role {wanted}: nothing to compare it with"
            )
        return [(wanted, of_role)]
    by_roles: dict[frozenset[str], list[NodeResults]] = {}
    for node in nodes:
        if node.node.roles:
            by_roles.setdefault(node.node.roles, []).append(node)
    return [(_named(roles), members) for roles, members in by_roles.items() if len(members) > 1]


def _named(roles: Iterable[str]) -> str:
    return ", ".join(sorted(roles)) or "no role"


def _compared(roles: str, members: Sequence[NodeResults], one: str) -> PeerGroup:
    names = tuple(n.node.name for n in members)
    traits = {n.node.name: traits_of(n) for n in members}
    own = {n.node.name: _own_names(n, traits[n.node.name]) for n in members}
    differences: list[PeerTrait] = []
    missing: dict[str, list[str]] = {}
    for fact in sorted({fact for of_it in traits.values() for fact in of_it.by_fact}):
        read = {name: of_it.by_fact[fact] for name, of_it in traits.items() if fact in of_it.by_fact}
        for name in traits.keys() - read.keys():
            missing.setdefault(f"{fact} ({traits[name].unread.get(fact, '')})", []).append(name)
        partial = {name for name in read if fact in traits[name].partial}
        if len(read) > 1:
            neutral_ones = {name: _neutral_traits(of_it, own[name]) for name, of_it in read.items()}
            differences += _differences(neutral_ones, partial)
    if one:
        differences = [d for d in differences if one in d.odd]
    differences.sort(key=lambda d: (KINDS.index(d.kind), d.name))
    return PeerGroup(
        roles, names, tuple(differences), tuple(f"{what} on {', '.join(sorted(of))}" for what, of in missing.items())
    )


Neutral = dict[tuple[str, str], frozenset[Lines]]


def _differences(by_node: Mapping[str, Neutral], partial: set[str]) -> Iterable[PeerTrait]:
    for kind, name in dict.fromkeys(key for of_it in by_node.values() for key in of_it):
        said = {node: _flat(of_it.get((kind, name))) for node, of_it in by_node.items()}
        own = "{id}" in name or kind in _OWN_KINDS
        # whoever has no such port, network or instance has none; that of one that was read in part is not known
        said = {n: lines for n, lines in said.items() if lines is not None or not (own or n in partial)}
        if kind == "chain":
            said = _without_ports(said, by_node)
        if len(set(said.values())) > 1:
            (usual, number), *_ = Counter(said.values()).most_common(1)
            common = number > len(said) / 2
            odd = tuple(n for n, lines in said.items() if not common or lines != usual)
            yield PeerTrait(kind, name, said, usual if common else None, odd)


def _without_ports(said: dict[str, Lines | None], by_node: Mapping[str, Neutral]) -> dict[str, Lines | None]:
    """The rules for ports are left out where some sibling has no port at all."""
    if all(any("{id}" in name for _, name in of_it) for of_it in by_node.values()):
        return said
    return {n: None if s is None else tuple(line for line in s if "{id}" not in line) for n, s in said.items()}


def _flat(several: frozenset[Lines] | None) -> Lines | None:
    """The lines of all things that have become one name, each once."""
    if several is None:
        return None
    if len(several) == 1:
        return next(iter(several))
    return tuple(sorted({line for lines in several for line in lines}))


def _neutral_traits(traits: Mapping[tuple[str, str], Lines], own: Sequence[tuple[str, str]]) -> Neutral:
    found: dict[tuple[str, str], set[Lines]] = {}
    for (kind, name), lines in traits.items():
        bare = neutral(name, own)
        # which names have which addresses is the same for all, whose ever they are
        said = [line if name == HOSTS else neutral(line, own) for line in lines]
        if "{id}" in bare:  # of a guest or its network: any address there is one of its own
            said = [_ADDRESS.sub("{address}", line) for line in said]
        if kind == "address":
            said = [f"{len(said)} of its own"]
        several = kind == "chain" or "{id}" in bare
        found.setdefault((kind, bare), set()).add(tuple(dict.fromkeys(said)) if several else tuple(said))
    return {key: frozenset(values) for key, values in found.items()}


def neutral(text: str, own: Sequence[tuple[str, str]] = ()) -> str:
    """``text`` with ids and MAC addresses, and the node's ``own`` names, standing for what they are.

    >>> neutral("-m physdev --physdev-in tap712c9d12-a3 -j o712c9d12-a"), neutral("vxlan-822")
    ('-m physdev --physdev-in tap{id} -j o{id}', 'vxlan-{id}')
    >>> neutral("local_ip = 192.0.2.7", [("192.0.2.7", "{address}")])
    'local_ip = {address}'
    """
    for name, word in own:
        if name in text:
            text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w]|\.\d)", word, text)
    for pattern, word in _NEUTRAL:
        text = pattern.sub(word, text)
    return text


def _own_names(results: NodeResults, traits: Traits) -> list[tuple[str, str]]:
    """The node's names and addresses, the longest first."""
    names = {n for n in (results.node.name, results.hostname, results.hostname.partition(".")[0]) if n}
    addresses = {results.node.address} - {""}
    for (kind, _), lines in traits.by_fact.get("Addresses", {}).items():
        if kind == "address":
            addresses |= {line.partition("/")[0] for line in lines}
    found = [(name, "{host}") for name in names] + [(address, "{address}") for address in addresses - names]
    return sorted(found, key=lambda pair: -len(pair[0]))
