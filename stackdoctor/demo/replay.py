"""What a node answered once, said again in the agent's own words."""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from stackdoctor.collect.api_reads import API_SOURCE
from stackdoctor.collect.frames import encode
from stackdoctor.collect.plan import LOG_PROBE
from stackdoctor.model import NodeResults, Result, Status

__all__ = ["NOT_RECORDED", "Opening", "Readable", "read_opening", "replay"]

NOT_RECORDED = "not in the recording"
_LARGEST = 16 * 1024 * 1024

Opening = tuple[bytes, dict[str, Any]]
"""What the tool sends first: the agent, and the plan."""


class Readable(Protocol):
    """A stream of bytes, as a file or a channel gives it."""

    def readline(self, size: int, /) -> bytes: ...

    def read(self, size: int, /) -> bytes: ...


def read_opening(stream: Readable) -> Opening:
    """The agent's source and the plan from a connection, which only who started this can make.

    Raises ValueError when it is something else.
    """
    source, _ = _content(stream), _piece(stream)
    try:
        plan = marshal.loads(_content(stream))
    except (EOFError, TypeError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(plan, dict) or not isinstance(plan.get("probes"), list):
        raise ValueError("this is no plan")
    return source, plan


def _content(stream: Readable) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(_piece(stream), _LARGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacking.eof:
        raise ValueError(f"a piece of more than {_LARGEST} bytes")
    return content


def _piece(stream: Readable) -> bytes:
    line = stream.readline(20)
    size = int(line)
    if not 0 <= size <= _LARGEST:
        raise ValueError(f"a piece of {size} bytes")
    piece = stream.read(size)
    if len(piece) < size:
        raise ValueError("the opening was cut off")
    return piece


def replay(recorded: NodeResults, plan: Mapping[str, Any], now: float) -> Iterator[bytes]:
    """The frames with which an agent would have answered ``plan``, at ``now`` on its clock.

    What the recording does not hold is answered as not run: a replay never invents.
    """
    clock = recorded.clock
    yield encode(
        {
            "kind": "hello",
            "version": 1,
            "hostname": recorded.hostname or recorded.node.name,
            "fqdn": recorded.hostname or recorded.node.name,
            "now": now,
            "utc_offset": clock.utc_offset if clock else 0,
            "zone": clock.zone if clock else "UTC",
            "python": "3.11.2",
            "uid": 0,
            "sudo": None,
        }
    )
    commands, reads = 0, _reads(plan)
    for probe in _asked(plan):
        answers = [result for (id_, _), result in recorded.results.items() if id_ == probe]
        for result in answers or ([] if probe in reads else [_not_recorded(probe)]):
            commands += result.status is not Status.NOT_RUN
            yield encode(
                {
                    "kind": "result",
                    "probe": result.probe,
                    "subject": result.subject,
                    "command": result.command,
                    "status": result.status.value,
                    "exit": result.exit,
                    "started": result.started,
                    "seconds": result.seconds,
                    "reason": result.reason,
                },
                result.stdout,
                result.stderr,
            )
    yield encode({"kind": "done", "seconds": 0.0, "cpu": 0.0, "commands": commands, "left_out": []})


def _asked(plan: Mapping[str, Any]) -> list[str]:
    ids = [str(probe["id"]) for probe in plan["probes"]]
    apis = [API_SOURCE.id, *_reads(plan)] if plan.get("apis") else []
    return [*ids, *([LOG_PROBE.id] if plan.get("logs") else []), *apis]


def _reads(plan: Mapping[str, Any]) -> list[str]:
    """The reads of the APIs, which only a node with credentials answers."""
    return [str(read["id"]) for read in (plan.get("apis") or {"reads": ()})["reads"]]


def _not_recorded(probe: str) -> Result:
    return Result(probe, probe, status=Status.NOT_RUN, exit=None, reason=NOT_RECORDED)
