"""A recorded cloud on Open vSwitch 3.1 (three nodes, userspace datapath) in which a test breaks one thing.

Ports, tags, flows and tunnels are as neutron-openvswitch-agent writes them; compute1 has guests that are plugged in
directly, compute2 by a Linux bridge.  The guests' XML follows libvirt.org/formatdomain.html.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.playbook import load_playbooks
from stackdoctor.diagnose.registry import check_of, load_checks, select_checks
from stackdoctor.diagnose.runner import Examination, examine
from stackdoctor.model import Diagnosis, Finding, NodeResults, Result, Status

SAMPLE = Path(__file__).parents[2] / "trace" / "samples" / "openvswitch.json"
OWN = ("ovs.*", "dpdk.*", "hugepages.*", "sriov.*")
BRIDGES, PORTS, INTERFACES, SWITCH = range(4)
UNSET = ["set", []]
Check = Callable[..., Iterator[Finding]]


@functools.cache
def own_checks() -> tuple[Any, ...]:
    return select_checks(load_checks(), OWN)


@functools.cache
def playbooks() -> tuple[Any, ...]:
    return load_playbooks()


class OvsCloud:
    """The nodes' answers, and ways to change them."""

    def __init__(self, nodes: dict[str, NodeResults]) -> None:
        self.nodes = nodes

    def say(self, node: str, probe: str, text: str, subject: str = "", **result: Any) -> None:
        """Another answer to ``probe``."""
        results = dict(self.nodes[node].results)
        before = results.get((probe, subject)) or Result(probe, probe, subject)
        results[probe, subject] = replace(before, stdout=text.encode(), **{"status": Status.RAN, "exit": 0, **result})
        self.nodes[node] = replace(self.nodes[node], results=results)

    def swap(self, node: str, probe: str, old: str, new: str, subject: str = "") -> None:
        """``new`` in the place of ``old``, which must be there."""
        text = self.nodes[node].results[probe, subject].text
        assert old in text
        self.say(node, probe, text.replace(old, new), subject)

    def table(self, node: str, number: int, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        """Other rows of one table of the database, in both looks at it."""
        for subject in ("", "#2"):
            self.table_once(node, number, change, subject)

    def table_once(
        self, node: str, number: int, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], subject: str
    ) -> None:
        """The same in one look."""
        lines = self.nodes[node].results["ovs.db", subject].text.splitlines()
        table = json.loads(lines[number])
        rows = change([dict(zip(table["headings"], cells, strict=True)) for cells in table["data"]])
        table["data"] = [[row[heading] for heading in table["headings"]] for row in rows]
        lines[number] = json.dumps(table)
        self.say(node, "ovs.db", "\n".join(lines) + "\n", subject)

    def set(self, node: str, number: int, name: str, **columns: Any) -> None:
        """Other columns of the row called ``name`` (any row of the one-row table)."""

        def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            row = next(row for row in rows if row.get("name", name) == name)
            assert set(columns) <= set(row)
            row.update(columns)
            return rows

        self.table(node, number, change)

    def drop_port(self, node: str, name: str) -> None:
        """``ovs-vsctl del-port NAME``."""
        for number in (PORTS, INTERFACES):
            self.table(node, number, lambda rows: [row for row in rows if row["name"] != name])

    def break_interface(self, node: str, name: str) -> None:
        """What ovs-vswitchd says of a device that is not there."""
        error = f"could not open network device {name} (No such device)"
        self.set(node, INTERFACES, name, ofport=-1, error=error)

    def lose_flows(self, node: str, bridge: str, of: str) -> None:
        """The flows with ``of`` in them are gone."""
        lines = self.nodes[node].results["ovs.flows", bridge].text.splitlines()
        kept = [line for line in lines if of not in line]
        assert len(kept) < len(lines)
        self.say(node, "ovs.flows", "\n".join(kept) + "\n", bridge)

    def stop_guest(self, node: str, name: str) -> None:
        """The guest is off."""
        self.swap(node, "libvirt.list", f"{name}   running", f"{name}   shut off")

    def examine(self, *checks: Check) -> Examination:
        """What ``checks`` say; those of this folder without one."""
        chosen = [check_of(check) for check in checks] or own_checks()
        return examine(self.nodes.values(), chosen)

    def find(self, *checks: Check) -> list[Finding]:
        """What they find; that one failed is a failure of the test."""
        examination = self.examine(*checks)
        assert not [missed for missed in examination.not_checked if "the check failed" in missed.reason]
        return list(examination.findings)

    def one(self, *checks: Check) -> Finding:
        """The only finding."""
        (found,) = self.find(*checks)
        assert found.evidence
        return found

    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """What the playbooks make of all that the checks of this folder find."""
        return correlate(playbooks(), self.examine()).diagnoses


@pytest.fixture
def cloud(recording: Callable[..., dict[str, NodeResults]]) -> OvsCloud:
    """The healthy cloud."""
    return OvsCloud(recording(SAMPLE))
