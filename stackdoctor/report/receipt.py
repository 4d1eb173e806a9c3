"""What a look has cost the cloud, and what it left out to cost no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackdoctor.model import Cost
from stackdoctor.report.groups import named
from stackdoctor.report.wording import counted

__all__ = ["cost_entry", "receipt"]

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def receipt(costs: Mapping[str, Cost | None]) -> tuple[str, str]:
    """Two lines for the end of a report, each empty where there is nothing to say; ``costs`` by node name.

    The first is what was used in all, and on the node that paid most; the second which nodes were spared and why,
    and what was left out.
    """
    known = {name: cost for name, cost in costs.items() if cost is not None}
    if not any(cost.cpu or cost.bytes for cost in known.values()):
        return "", _left_out(known)
    cpu, size = sum(c.cpu for c in known.values()), sum(c.bytes for c in known.values())
    commands = sum(c.commands for c in known.values())
    paid = f"Cost to the nodes: {cpu:.1f} s of processor, {_size(size)}, {counted(commands, 'command')}"
    if len(known) > 1:
        most, cost = max(known.items(), key=lambda item: item[1].cpu)
        paid += f"; most on {most}: {cost.cpu:.1f} s, {_size(cost.bytes)}, {counted(cost.commands, 'command')}"
    return f"{paid}.", _left_out(known)


def _left_out(known: Mapping[str, Cost]) -> str:
    parts = []
    for name, cost in known.items():
        why = "; ".join(filter(None, [cost.sparing and f"spared, {cost.sparing}", cost.used_up]))
        if why or cost.left_out:
            what = f": without {named(sorted(cost.left_out), 6)}" if cost.left_out else ""
            parts.append(f"{name} ({why or 'not answered'}){what}")
    return f"Asked for less: {'; '.join(parts)}." if parts else ""


def cost_entry(cost: Cost | None) -> dict[str, Any] | None:
    """The JSON of a node's cost: seconds, cpu, bytes, commands, used_up, sparing, left_out; null where not known."""
    if cost is None:
        return None
    return {
        "seconds": round(cost.seconds, 3),
        "cpu": round(cost.cpu, 3),
        "bytes": cost.bytes,
        "commands": cost.commands,
        "used_up": cost.used_up,
        "sparing": cost.sparing,
        "left_out": list(cost.left_out),
    }


def _size(number: int) -> str:
    for unit, word in _UNITS:
        if number >= unit:
            return f"{number / unit:.1f} {word}"
    return counted(number, "byte")
