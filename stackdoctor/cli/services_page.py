"""RPC and API calls of a capture, on the terminal and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackdoctor.active.dissect import Closed, HttpCall
    from stackdoctor.active.rpc_calls import CallKind

__all__ = ["Dissected", "services_value", "show_services"]

MOST = 30


@dataclass(frozen=True)
class Dissected:
    """What tshark made of one file; ``unread`` says why it could not."""

    file: str
    rpc: tuple[CallKind, ...]
    closed: tuple[Closed, ...]
    http: tuple[HttpCall, ...]
    unread: str = ""


def show_services(found: Dissected) -> None:
    """Print the calls by kind, those without a reply first, what was closed, and API calls that went wrong."""
    from rich.console import Console
    from rich.table import Table

    from stackdoctor.report.page import Page

    console = Console(highlight=False)
    page = Page(console)
    page.blank()
    if found.unread:
        page.write(page.text(found.unread), 0, page.text("Not looked at: ", "yellow"))
        return
    if found.rpc:
        table = Table(box=None, pad_edge=False)
        for name in ("RPC queue", "method", "calls", "no reply", "median ms", "longest ms"):
            table.add_column(name, justify="left" if name in ("RPC queue", "method") else "right")
        for kind in found.rpc[:MOST]:
            silent = page.text(str(len(kind.unanswered)), "bold red" if kind.unanswered else "")
            times = (_milliseconds(kind.median), _milliseconds(kind.longest))
            table.add_row(page.text(kind.queue), page.text(kind.method), str(len(kind.calls)), silent, *times)
        console.print(table)
    for closed in found.closed[:MOST]:
        text = f"{closed.by} closed a {closed.what}: {closed.code} {closed.text}"
        page.write(page.text(text), 0, page.text("CLOSED: ", "bold red"))
    wrong = [call for call in found.http if call.seconds is None or call.status >= 400]
    if found.http:
        page.write(
            page.text(f"{len(found.http)} API requests, {len(wrong)} of them without an answer or with an error")
        )
    for call in wrong[:MOST]:
        said = f"{call.status}" if call.seconds is not None else "no answer"
        request = f" ({call.request_id})" if call.request_id else ""
        page.write(page.text(f"{call.method} {call.path} at {call.server}: {said}{request}"), 2)


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f}"


def services_value(found: Dissected) -> dict[str, Any]:
    """The same as JSON has it (docs/capture.md)."""
    return {
        "file": found.file,
        "unread": found.unread or None,
        "rpc": [
            {
                "queue": kind.queue,
                "method": kind.method,
                "calls": len(kind.calls),
                "unanswered": [call.message_id for call in kind.unanswered],
                "median_seconds": kind.median,
                "longest_seconds": kind.longest,
            }
            for kind in found.rpc
        ],
        "closed": [vars(closed) for closed in found.closed],
        "http": [vars(call) for call in found.http],
    }
