"""Make docs/performance.md of bench/results: `python bench/table.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from outcome import RESULTS

__all__ = ["main"]

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
HEAD = """# Performance

`make bench` measures in under ten minutes and rewrites this page (`make bench-full`: all sizes). Each figure is the
median of at least five runs, taken in turn with those of the peer on the same machine, with the least and the most
in brackets. *Reach* is what is aimed at: of `<= 1 x`, at most the peer's figure; of `>= 2 x`, at least so many times
as good.
Hosts are loopback addresses of one machine, which does the work of all of them: wall time is mostly theirs. The agent
runs at nice 19, so nothing else may run there meanwhile.
"""


def main() -> None:
    """Write the page."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(RESULTS.glob("*.json"))]
    PAGE.write_text("\n".join([HEAD, *_table(results), "", *_conditions(results)]) + "\n", encoding="utf-8")


def _table(results: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "| what | stackdoctor | peer | ratio | reach | held |"
    yield "|---|---|---|---|---|---|"
    for result in results:
        for outcome in result["outcomes"]:
            cells = [_series(outcome["ours"], outcome["unit"]), _peer(outcome), _ratio(outcome), outcome["reach"]]
            held = {True: "yes", False: "no", None: f"not measured: {outcome['skipped']}"}[outcome["held"]]
            yield f"| {' | '.join([outcome['what'], *cells, held])} |"


def _series(series: Mapping[str, float] | None, unit: str) -> str:
    if series is None:
        return ""
    spread = "" if series["runs"] < 2 else f" ({series['least']:.4g} - {series['most']:.4g})"
    return f"{series['median']:.4g} {unit}{spread}".strip()


def _peer(outcome: Mapping[str, Any]) -> str:
    figures = _series(outcome["theirs"], outcome["unit"])
    return f"{outcome['peer']}: {figures}" if figures else outcome["peer"]


def _ratio(outcome: Mapping[str, Any]) -> str:
    return "" if outcome["value"] is None or outcome["theirs"] is None else f"{outcome['value']:.2f}"


def _conditions(results: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """How each was measured, those of one machine and day together."""
    yield "| command | day | machine | load | versions |"
    yield "|---|---|---|---|---|"
    for result in results:
        machine = result["machine"]
        place = f"{machine['cores']} x {machine['cpu']}, {machine['memory_gib']} GiB, Linux {machine['kernel']}"
        versions = ", ".join(result["versions"])
        yield f"| `{result['command']}` | {result['date']} | {place} | {machine['load']} | {versions} |"


if __name__ == "__main__":
    main()
