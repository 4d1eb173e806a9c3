"""Captures on many hops at once: tcpdump on the nodes, bounded, ended with the connection, its output sent back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stackdoctor.active.consent import refuse_unconsented
from stackdoctor.active.pcap import Capture, read_capture
from stackdoctor.collect.plan import Plan
from stackdoctor.errors import UsageError
from stackdoctor.model import NodeResults, Probe, Result, Status

__all__ = ["Bounds", "Tap", "capture_plans", "captured", "parse_tap"]

_TAP = re.compile(r"(?P<node>[^:\s]+):(?:(?P<namespace>[\w.-]+)/)?(?P<interface>[\w.@-]+)")
_OPTIONS = 10.0
"""Seconds that a node may take for the start and the end of its captures besides the capture itself."""
_STARTS = 0.5
"""Seconds after its start at which a tcpdump listens at the latest, if it has not seen a packet before."""


@dataclass(frozen=True)
class Tap:
    """Where packets are copied: an interface of a node, in a namespace or (empty) outside of all."""

    node: str
    interface: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.node}:{self.namespace + '/' if self.namespace else ''}{self.interface}"


@dataclass(frozen=True)
class Bounds:
    """At what a capture ends, whichever comes first; ``snap`` bytes of each packet are kept."""

    seconds: float = 10.0
    packets: int = 2000
    size: int = 4 * 1024 * 1024
    snap: int = 400


def parse_tap(text: str) -> Tap:
    """``NODE:INTERFACE`` or ``NODE:NAMESPACE/INTERFACE``; raises UsageError.

    >>> parse_tap("controller:qdhcp-c29dcc29/ns-5ba1ae77-54")
    Tap(node='controller', interface='ns-5ba1ae77-54', namespace='qdhcp-c29dcc29')
    """
    match = _TAP.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no hop: write NODE:INTERFACE or NODE:NAMESPACE/INTERFACE")
    return Tap(match["node"], match["interface"], match["namespace"] or "")


def capture_plans(taps: Sequence[Tap], words: Sequence[str], bounds: Bounds) -> Mapping[str, Plan]:
    """What each node is asked, by its name; raises UsageError for a filter or a name that is not allowed.

    ``words`` are a filter of pcap-filter(7).
    """
    probes: dict[str, list[Probe]] = {}
    for tap in dict.fromkeys(taps):
        probes.setdefault(tap.node, []).append(_probe(tap, words, bounds))
    for asked in probes.values():
        refuse_unconsented(asked)
    return {
        node: Plan(tuple(asked), seconds=bounds.seconds + _OPTIONS, parallel=len(asked))
        for node, asked in probes.items()
    }


def _probe(tap: Tap, words: Sequence[str], bounds: Bounds) -> Probe:
    inside = ("ip", "netns", "exec", tap.namespace) if tap.namespace else ()
    argv = (
        *inside,
        *("timeout", "-s", "INT", "-k", "2", f"{bounds.seconds:g}"),
        *(
            "tcpdump",
            "-p",
            "-n",
            "-U",
            "-s",
            str(bounds.snap),
            "-c",
            str(bounds.packets),
            "-i",
            tap.interface,
            "-w",
            "-",
        ),
        *words,
    )
    return Probe(_id(tap), argv, root=True, timeout=bounds.seconds + _OPTIONS / 2, cap=bounds.size)


def _id(tap: Tap) -> str:
    return f"capture.{tap.namespace + '/' if tap.namespace else ''}{tap.interface}"


def captured(taps: Sequence[Tap], nodes: Iterable[NodeResults]) -> tuple[tuple[Capture, bytes], ...]:
    """What each of ``taps`` saw, in their order, with the file's own bytes; ``unread`` says why there is nothing."""
    by_node = {node.node.name: node for node in nodes}
    return tuple(_captured(tap, by_node.get(tap.node)) for tap in taps)


def _captured(tap: Tap, node: NodeResults | None) -> tuple[Capture, bytes]:
    name = str(tap)
    result = node.results.get((_id(tap), "")) if node else None
    if node is None or result is None:
        return Capture(name, (), unread=(node.failure if node else "") or "it was not asked"), b""
    why = _why_not(result)
    if why:
        return Capture(name, (), unread=why), b""
    offset = node.clock.offset if node.clock else 0.0
    try:
        capture = read_capture(name, result.stdout, offset)
    except UsageError as why:  # of one hop: the others are there
        return Capture(name, (), unread=str(why)), result.stdout
    return _within(capture, result, offset), result.stdout


def _within(capture: Capture, result: Result, offset: float) -> Capture:
    """With the time for which tcpdump listened: from a little after its start to its end."""
    if not result.started:
        return capture
    began = result.started - offset
    return replace(capture, since=began + _STARTS, until=began + result.seconds)


def _why_not(result: Result) -> str:
    said = result.stderr.decode("utf-8", "replace").strip()
    if result.status is Status.MISSING or ("No such file or directory" in said and "tcpdump" in said):
        return "tcpdump is not there (package tcpdump)"
    if len(result.stdout) >= 24:
        return ""
    if "No such device" in said:
        return "there is no such interface"
    if "Cannot open network namespace" in said:
        return "there is no such namespace any more"
    if "syntax error" in said or "can't parse filter" in said:
        return f"the filter is not understood: {_last_line(said)}"
    if result.status is not Status.RAN:
        return f"{result.status.value}: {result.reason}"
    return _last_line(said) or "nothing was written"


def _last_line(said: str) -> str:
    return said.rsplit("\n", 1)[-1].removeprefix("tcpdump: ")[:200]
