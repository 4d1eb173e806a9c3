"""Packets over hops, on the terminal and as JSON: how many of each kind every hop saw, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackdoctor.active.follow import Flow, Journey
    from stackdoctor.active.pcap import Capture

__all__ = ["SCHEMA", "flows_value", "show_flows"]

SCHEMA = "stackdoctor/flows/1"
MOST_FLOWS = 20


def show_flows(captures: Sequence[Capture], flows: Sequence[Flow]) -> None:
    """Print the hops, a table of counts, and a sentence for each kind that was lost or changed."""
    from rich.console import Console
    from rich.table import Table

    from stackdoctor.report.page import Page

    console = Console(highlight=False)
    page = Page(console)
    for place, capture in enumerate(captures):
        notes = [capture.unread] if capture.unread else [f"{len(capture.frames)} packets"]
        notes += ["its end is cut off"] if capture.cut else []
        notes += [f"{capture.strange} not understood"] if capture.strange else []
        page.write(page.text(f"  {', '.join(notes)}"), 0, page.text(f"{place:3} {capture.name}", "bold"))
    page.blank()
    if not flows:
        others = any(capture.frames for capture in captures)
        page.write(page.text(f"No packet {'that goes this way ' if others else ''}was seen on any hop."))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("packets")
    table.add_column("way")
    for place in range(len(captures)):
        table.add_column(str(place), justify="right")
    for flow in flows[:MOST_FLOWS]:
        counts = [("-" if captures[i].unread else str(count)) for i, count in enumerate(flow.counts)]
        table.add_row(page.text(flow.kind), page.text("→" if flow.forward else "←"), *counts)
    console.print(table)
    if len(flows) > MOST_FLOWS:
        page.write(page.text(f"and {len(flows) - MOST_FLOWS} more kinds"))
    page.blank()
    for flow in flows[:MOST_FLOWS]:
        _tell(page, captures, flow)


def _tell(page: Any, captures: Sequence[Capture], flow: Flow) -> None:
    sample = (flow.lost or flow.journeys)[-1]
    if flow.lost_after is not None and len(captures) > 1:
        head = page.text("LOST: ", "bold red")
        page.write(page.text(f"{sample.what}: last seen on {captures[flow.lost_after].name}"), 0, head)
    elif flow.lost:
        head = page.text("partly: ", "yellow")
        page.write(page.text(f"{flow.kind}: {len(flow.lost)} of {len(flow.journeys)} did not arrive"), 0, head)
    if sample.changes:
        page.write(page.text(f"{sample.kind}: {'; '.join(_named(sample, captures))}"), 2)


def _named(journey: Journey, captures: Sequence[Capture]) -> list[str]:
    """The changes with the names of the hops instead of their places."""
    told = []
    for change in journey.changes:
        words, _, place = change.rpartition(" at ")
        told.append(f"{words} on {captures[int(place)].name}")
    return told


def flows_value(captures: Sequence[Capture], flows: Sequence[Flow]) -> dict[str, Any]:
    """The same as JSON has it (docs/capture.md)."""
    return {
        "schema": SCHEMA,
        "hops": [
            {
                "name": capture.name,
                "packets": len(capture.frames),
                "cut": capture.cut,
                "not_understood": capture.strange,
                "unread": capture.unread or None,
            }
            for capture in captures
        ],
        "flows": [
            {
                "kind": flow.kind,
                "way": "forward" if flow.forward else "back",
                "counts": list(flow.counts),
                "lost_after": None if flow.lost_after is None else captures[flow.lost_after].name,
                "packets": [
                    {
                        "what": journey.what,
                        "seen": [{"hop": captures[place].name, "time": frame.time} for place, frame in journey.seen],
                        "changes": _named(journey, captures),
                        "arrived": journey.arrived,
                    }
                    for journey in flow.journeys[:50]
                ],
            }
            for flow in flows
        ],
    }
