"""The tool run beside what is done to the lab: captures that begin before the packets, and what is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab.cloud import Cloud

__all__ = ["all_listen", "begin", "capture", "flow", "run", "tcpdumps"]


def environment(cloud: Cloud) -> dict[str, str]:
    return {**os.environ, "HOME": str(cloud.work), "XDG_CONFIG_HOME": str(cloud.work / "config")}


def command(cloud: Cloud, *arguments: str) -> list[str]:
    return ["ip", "netns", "exec", cloud.fabric, str(Path(sys.executable).parent / "stackdoctor"), *arguments]


def run(cloud: Cloud, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """What the tool says, with its bytes as they are."""
    return subprocess.run(
        command(cloud, *arguments),
        capture_output=True,
        check=False,
        timeout=180,
        stdin=subprocess.DEVNULL,
        env=environment(cloud),
    )


@contextlib.contextmanager
def begin(cloud: Cloud, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The tool as it runs; it is killed with the block if it still does."""
    with subprocess.Popen(
        command(cloud, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment(cloud),
    ) as tool:
        try:
            yield tool
        finally:
            tool.kill()


def tcpdumps(cloud: Cloud) -> list[tuple[str, list[str]]]:
    """The hosts' tcpdump processes (`timeout tcpdump` is one more, that ends with it)."""
    return [
        (host.name, argv)
        for host in cloud.hosts.values()
        for argv in host.processes().values()
        if argv and argv[0].endswith("tcpdump")
    ]


def capture(
    cloud: Cloud, hops: list[str], do: Callable[[], object], *options: str, listening: int | None = None
) -> tuple[dict[str, Any], int]:
    """Capture on ``hops`` while ``do`` does something; the value of the report and the exit status.

    ``listening`` is on how many hops there will be a tcpdump, if not on all.
    """
    named = [word for hop in hops for word in ("--on", hop)]
    arguments = ("capture", *named, "-i", str(cloud.inventory), "--yes", "--quiet", "--format", "json", *options)
    with begin(cloud, *(arguments if "--seconds" in options else (*arguments, "--seconds", "8s"))) as tool:
        wanted = len(hops) if listening is None else listening
        cloud.wait_until(lambda: len(tcpdumps(cloud)) >= wanted or tool.poll() is not None, 40, "all tcpdumps")
        cloud.wait_until(lambda: tool.poll() is not None or all_listen(cloud, wanted), 20, "tcpdumps that listen")
        do()
        said, told = tool.communicate(timeout=120)
    try:
        return json.loads(said), tool.returncode
    except json.JSONDecodeError:
        raise AssertionError(f"exit {tool.returncode}: {said!r} {told!r}") from None


def all_listen(cloud: Cloud, wanted: int) -> bool:
    """Whether so many packet sockets with a ring are open: before that a tcpdump sees nothing."""
    found = 0
    for host in cloud.hosts.values():
        for pid, argv in host.processes().items():
            if argv and argv[0].endswith("tcpdump"):
                maps = host.root / "proc" / str(pid) / "maps"
                with contextlib.suppress(OSError):
                    found += "socket:" in maps.read_text()
    return found >= wanted


def flow(report: dict[str, Any], kind: str, way: str) -> dict[str, Any]:
    """The flow of this kind and way; all there are in the error if there is none."""
    found = [row for row in report["flows"] if (row["kind"], row["way"]) == (kind, way)]
    every = [(row["kind"], row["way"], row["counts"]) for row in report["flows"]]
    assert found, (kind, way, every, report["hops"])
    row: dict[str, Any] = found[0]
    return row
