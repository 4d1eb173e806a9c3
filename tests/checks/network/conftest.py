"""A recorded healthy cloud (controller with DHCP and L3 agents, two computes) in which a test breaks one thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.diagnose.registry import check_of
from stackdoctor.diagnose.runner import Examination, examine
from stackdoctor.model import Finding, NodeResults, Result, Status

SAMPLES = Path(__file__).parent / "samples"
Check = Callable[..., Iterator[Finding]]


class RecordedCloud:
    """The nodes' answers; a test changes them as the fault that it is about would."""

    def __init__(self, nodes: dict[str, NodeResults]) -> None:
        self.nodes = nodes

    def find(self, *checks: Check) -> list[Finding]:
        """What ``checks`` find; that one could not run is a failure of the test."""
        examination = self.examine(*checks)
        failed = [missed for missed in examination.not_checked if "the check failed" in missed.reason]
        assert not failed
        return list(examination.findings)

    def examine(self, *checks: Check) -> Examination:
        """What ``checks`` find, and where they could not look."""
        return examine(self.nodes.values(), [check_of(check) for check in checks])

    def one(self, *checks: Check) -> Finding:
        """The only finding of ``checks``."""
        (found,) = self.find(*checks)
        assert found.evidence
        return found

    def text(self, node: str, probe: str, subject: str = "") -> str:
        """An answer as it was."""
        return self.nodes[node].results[probe, subject].text

    def say(self, node: str, probe: str, text: str, subject: str = "") -> None:
        """Another answer to ``probe``."""
        results = dict(self.nodes[node].results)
        asked = results.get((probe, subject)) or Result(probe, f"{probe} {subject}", subject)
        results[probe, subject] = replace(asked, stdout=text.encode(), status=Status.RAN, exit=0)
        self.nodes[node] = replace(self.nodes[node], results=results)

    def forget(self, node: str, probe: str) -> None:
        """No answer to ``probe``."""
        kept = {key: result for key, result in self.nodes[node].results.items() if key[0] != probe}
        self.nodes[node] = replace(self.nodes[node], results=kept)

    def swap(self, node: str, probe: str, old: str, new: str, subject: str = "") -> None:
        """``new`` in the place of ``old``, which must be there."""
        text = self.text(node, probe, subject)
        assert old in text
        self.say(node, probe, text.replace(old, new), subject)

    def edit(self, node: str, probe: str, change: Callable[[list[Any]], list[Any]], subject: str = "") -> None:
        """Other rows of an answer in JSON."""
        self.say(node, probe, json.dumps(change(json.loads(self.text(node, probe, subject)))), subject)

    def link(self, node: str, name: str, subject: str = "", **changes: Any) -> None:
        """A link with other values; None takes the key away."""

        def change(rows: list[Any]) -> list[Any]:
            row = next(row for row in rows if row["ifname"] == name)
            row.update(changes)
            for key in [key for key, value in changes.items() if value is None]:
                del row[key]
            return rows

        self.edit(node, "links.netns" if subject else "links.host", change, subject)

    def down(self, node: str, name: str, subject: str = "") -> None:
        """``ip link set NAME down``."""
        self.link(node, name, subject, flags=["BROADCAST", "MULTICAST"], operstate="DOWN")

    def remove(self, node: str, name: str, subject: str = "") -> None:
        """``ip link delete NAME``."""

        def change(rows: list[Any]) -> list[Any]:
            assert any(row["ifname"] == name for row in rows)
            return [row for row in rows if row["ifname"] != name]

        self.edit(node, "links.netns" if subject else "links.host", change, subject)

    def add_link(self, node: str, **values: Any) -> None:
        """Another link on the host."""
        row = {"ifindex": 99, "flags": ["UP", "LOWER_UP"], "mtu": 1500, "operstate": "UP", "link_type": "ether"}
        self.edit(node, "links.host", lambda rows: [*rows, {**row, "address": "02:00:00:00:00:99", **values}])

    def add_namespace(self, node: str, name: str, answers: dict[str, str]) -> None:
        """Another network namespace, and what is in it by probe."""
        self.say(node, "netns.list", self.text(node, "netns.list") + f"{name}\n")
        for probe, text in answers.items():
            self.say(node, probe, text, name)


@pytest.fixture
def cloud(recording: Callable[..., dict[str, NodeResults]]) -> RecordedCloud:
    """The healthy cloud."""
    return RecordedCloud(recording(*(SAMPLES / f"{name}.json" for name in ("controller", "compute1", "compute2"))))
