"""The programs of active/onnode as probes, and what they answer."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from stackdoctor.model import NodeResults, Probe, Status

__all__ = ["NotRun", "answer_of", "probe_of", "program"]

_SLACK = 5.0


class NotRun(Exception):
    """Why a program has no answer: one sentence."""


@functools.cache
def program(name: str) -> str:
    """The text of active/onnode/NAME.py as it is sent."""
    return resources.files("stackdoctor.active.onnode").joinpath(f"{name}.py").read_text(encoding="utf-8")


def probe_of(id_: str, name: str, words: Sequence[str], seconds: float, namespace: str = "") -> Probe:
    """A probe that runs a program with ``words``, in a namespace where one is named, for ``seconds`` at most."""
    inside = ("ip", "netns", "exec", namespace) if namespace else ()
    argv = (*inside, "timeout", "-k", "2", f"{seconds:g}", "python3", "-I", "-c", program(name), *words)
    return Probe(id_, argv, root=True, timeout=seconds + _SLACK)


def answer_of(node: NodeResults | None, id_: str) -> dict[str, Any]:
    """What the program of the probe ``id_`` printed last; raises NotRun where there is nothing."""
    result = node.results.get((id_, "")) if node else None
    if node is None or result is None:
        raise NotRun((node.failure if node else "") or "the node was not asked")
    said = result.stderr.decode("utf-8", "replace").strip()
    lines = result.text.strip().splitlines()
    try:
        value = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    if "Cannot open network namespace" in said:
        raise NotRun("there is no such namespace there any more")
    if result.status is not Status.RAN:
        raise NotRun(f"{result.status.value}: {result.reason}")
    if result.exit in (124, 137):
        raise NotRun("it did not end in time")
    raise NotRun(said.rsplit("\n", 1)[-1][:200] or f"it ended with exit status {result.exit} and said nothing")
