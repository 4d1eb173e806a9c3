"""What sets nodes apart from their siblings, on a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from stackdoctor.cli.looks import Look
from stackdoctor.diagnose.peers import PeerGroup, PeerTrait
from stackdoctor.diagnose.traits import Lines
from stackdoctor.report.times import iso

__all__ = ["as_json", "show"]

_DIFFERENCES = 40
_LINES = 6


def show(look: Look, groups: Sequence[PeerGroup], verbose: bool) -> None:
    """Print it."""
    from rich.console import Console

    from stackdoctor.report.groups import named
    from stackdoctor.report.page import Page
    from stackdoctor.report.pieces import folded
    from stackdoctor.report.times import clock_time
    from stackdoctor.report.wording import counted

    page = Page(Console(highlight=False))
    page.write(page.text(f"Siblings of {look.name} ({clock_time(look.report.started)}):"))
    for group in groups:
        page.blank()
        number = counted(len(group.differences), "difference") if group.differences else "set alike"
        page.write(page.text(f"{named(group.nodes)} ({group.roles}): {number}", "bold"), hang=2)
        shown = group.differences if verbose else group.differences[:_DIFFERENCES]
        kind = ""
        for difference in shown:
            if difference.kind != kind:
                kind = difference.kind
                page.write(page.text(kind), 2)
            page.write(page.text(difference.name), 4, hang=2)
            for who, lines in _told(difference):
                head = page.text(f"{who}: ")
                for line in lines if verbose else lines[:_LINES]:
                    page.write(page.text(line), 6, head, prose=False)
                folded(page, 0 if verbose else len(lines) - _LINES, "line", 6)
        folded(page, len(group.differences) - len(shown), "difference", 2)
        for text in group.not_compared:
            page.write(page.text(f"Not compared: {text}"), 2, hang=2)


def _told(difference: PeerTrait) -> list[tuple[str, Lines]]:
    """Who says what: nodes that say the same together; of lines that nearly all agree on, those that differ."""
    by_lines: dict[Lines | None, list[str]] = {}
    for node, lines in difference.lines.items():
        by_lines.setdefault(lines, []).append(node)
    every = [set(lines or ()) for lines in by_lines]
    shared = set.intersection(*every)
    told = []
    for lines, nodes in sorted(by_lines.items(), key=lambda item: (item[0] == difference.usual, item[1])):
        own = tuple(line for line in lines or () if line not in shared)
        nothing = (
            "not there" if lines is None else "without these" if shared or not lines else "the same in another order"
        )
        usual = " (usual)" if difference.usual == lines and len(nodes) > 1 else ""
        who = ", ".join(nodes[:4]) + (f" and {len(nodes) - 4} more" if len(nodes) > 4 else "") + usual
        told.append((who, own or (nothing,)))
    return told


def as_json(look: Look, groups: Sequence[PeerGroup]) -> str:
    """The same as one JSON object, whole."""
    value = {
        "look": {"name": look.name, "started": iso(look.report.started)},
        "groups": [
            {
                "roles": group.roles,
                "nodes": list(group.nodes),
                "differences": [vars(difference) for difference in group.differences],
                "not_compared": list(group.not_compared),
            }
            for group in groups
        ],
    }
    return json.dumps(value, indent=2)
