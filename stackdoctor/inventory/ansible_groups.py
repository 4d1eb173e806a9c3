"""Groups of an Ansible inventory: which hosts are in which, and what variables each host has in the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stackdoctor.errors import UsageError

__all__ = ["Group", "Groups"]

_DEEPEST = 100
_EVERY = ("all", "ungrouped")


@dataclass
class Group:
    """One group as it is written: its own hosts, the groups below it, and its variables."""

    hosts: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    vars: dict[str, Any] = field(default_factory=dict)


@dataclass
class Groups:
    """All groups by name while they are read, and the hosts' own variables; hosts in the order of the file."""

    groups: dict[str, Group] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def group(self, name: str) -> Group:
        """The group of that name, made when there is none."""
        return self.groups.setdefault(name, Group())

    def add_host(self, group: str, host: str, variables: Mapping[str, Any]) -> None:
        """Put ``host`` into ``group``; variables that are said again win."""
        members = self.group(group).hosts
        if host not in self.hosts or host not in members:
            members.append(host)
        self.hosts.setdefault(host, {}).update(variables)

    def refuse_circles(self) -> None:
        """Raises UsageError where a group is below itself, or too deep."""
        done: set[str] = set()
        for start in self.groups:
            above: list[str] = []
            todo = [(start, False)]
            while todo:
                name, left = todo.pop()
                if left:
                    above.pop()
                    done.add(name)
                elif name in above:
                    raise UsageError(f"the group {name!r} is below itself: {' > '.join((*above, name))}")
                elif len(above) > _DEEPEST:
                    raise UsageError(f"the group {name!r} is more than {_DEEPEST} groups deep")
                elif name not in done:
                    above.append(name)
                    todo += [(name, True), *((child, False) for child in self.group_or_none(name).children)]

    def group_or_none(self, name: str) -> Group:
        """The group of that name, or an empty one."""
        return self.groups.get(name) or Group()

    def parents(self) -> dict[str, set[str]]:
        """The groups directly above each."""
        above: dict[str, set[str]] = {name: set() for name in self.groups}
        for name, group in self.groups.items():
            for child in group.children:
                above.setdefault(child, set()).add(name)
        return above

    def resolved(self, of_group: Mapping[str, Mapping[str, Any]], of_host: Mapping[str, Mapping[str, Any]]) -> Resolved:
        """The variables of each host, by Ansible's order: ``of_group`` and ``of_host`` are those of group_vars/ and
        host_vars/.  The groups must have no circle.
        """
        above = self.parents()
        depth: dict[str, int] = {}

        def depth_of(name: str) -> int:
            if name not in depth:
                depth[name] = 1 + max((depth_of(parent) for parent in above.get(name, ())), default=0)
            return depth[name]

        def rank(name: str) -> tuple[int, int, str]:
            priority = self.group_or_none(name).vars.get("ansible_group_priority", 1)
            number = int(priority) if str(priority).isdigit() else 1
            return (0 if name == "all" else depth_of(name), number, name)

        direct: dict[str, set[str]] = {host: set() for host in self.hosts}
        for name, group in self.groups.items():
            for host in group.hosts:
                direct[host].add(name)
        ancestors: dict[str, frozenset[str]] = {}

        def every(name: str) -> frozenset[str]:
            if name not in ancestors:
                ancestors[name] = frozenset((name,)).union(*(every(parent) for parent in above.get(name, ())))
            return ancestors[name]

        variables, membership = {}, {}
        for host, own in self.hosts.items():
            groups = frozenset(("all",)).union(*(every(name) for name in direct[host]))
            order = sorted(groups, key=rank)
            layers: Iterable[Mapping[str, Any]] = (
                *(self.group_or_none(name).vars for name in order),
                *(of_group.get(name, {}) for name in order),
                own,
                of_host.get(host, {}),
            )
            variables[host] = {key: value for layer in layers for key, value in layer.items()}
            membership[host] = (frozenset(direct[host]) - set(_EVERY), groups - set(_EVERY))
        return Resolved(variables, membership)


@dataclass(frozen=True)
class Resolved:
    """By host: its variables, and the groups that it is in directly and altogether (without all and ungrouped)."""

    variables: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, tuple[frozenset[str], frozenset[str]]]
