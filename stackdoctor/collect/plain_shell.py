"""A node without python3: its plain commands over `sh`, one after the other, and what is not looked at is said."""

from __future__ import annotations

import re
import secrets
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from stackdoctor.collect.agent.secrets import redact
from stackdoctor.collect.api_reads import API_SOURCE
from stackdoctor.collect.plan import LOG_PROBE, Plan
from stackdoctor.collect.session import Channel, NodeLost, legible
from stackdoctor.model import Clock, Node, NodeResults, Probe, Result, Status

__all__ = ["SHELL", "ask_shell"]

SHELL = "exec sh -s"
REASON = "there is no python3 (3.6 or later) on the node"
LARGEST = 64 * 1024 * 1024

PREAMBLE = """PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin
LC_ALL=C; export PATH LC_ALL; umask 077
s() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n -- "$@"; fi; }
if command -v timeout >/dev/null 2>&1; then t=timeout; else t=; fi
"""


def ask_shell(node: Node, plan: Plan, channel: Channel, timeout: float) -> NodeResults:
    """What ``node`` answers to the plan's plain commands; lists, files and logs are not looked at."""
    mark = f"--{secrets.token_hex(16)}"
    sent = time.time()
    deadline = time.monotonic() + timeout + plan.seconds
    try:
        channel.write(_script(plan, mark).encode(), deadline)
        output = _all(channel, deadline)
    except TimeoutError:
        return NodeResults(node, failure=f"{REASON}, and its shell did not finish in time")
    except NodeLost as lost:
        return NodeResults(node, failure=f"{REASON}, and {lost}")
    answers = dict(_answers(output, mark))
    clock, hostname = _greeting(answers.get("hello", (b"", None))[0], sent, time.time())
    if clock is None:
        return NodeResults(node, failure=f"{REASON}, and its shell says {legible(redact(output[:4096]), 80)!r}")
    results = {(p.id, ""): _result(p, n, answers, clock) for n, p in enumerate(plan.probes)}
    if plan.logs is not None:
        results[LOG_PROBE.id, ""] = _not_run(LOG_PROBE)
    if plan.apis:
        results[API_SOURCE.id, ""] = _not_run(API_SOURCE)
    return NodeResults(node, results, clock, hostname, f"{REASON}: only plain commands were run")


def _script(plan: Plan, mark: str) -> str:
    """Each command between a line that announces it and one with its exit status."""
    lines = [PREAMBLE, f"echo; echo {mark} hello; uname -n; date +%s; date +%z; echo; echo {mark} hello $?"]
    for number, probe in enumerate(plan.probes):
        if _is_plain(probe):
            words = [f"{name}={value}" for name, value in probe.env]
            argv = shlex.join((["env", *words] if words else []) + list(probe.argv))
            run = f"{'s ' if probe.root else ''}${{t:+timeout -k 2 {probe.timeout:g}}} {argv}"
            lines.append(f"echo; echo {mark} {number}; {run} </dev/null 2>&1; r=$?; echo; echo {mark} {number} $r")
    lines.append(f"echo {mark} end; exit 0\n")
    return "\n".join(lines)


def _is_plain(probe: Probe) -> bool:
    return bool(probe.argv) and probe.each is None and not probe.after


def _all(channel: Channel, deadline: float) -> bytes:
    pieces = bytearray()
    while piece := channel.read(deadline):
        pieces += piece
        if len(pieces) > LARGEST:
            raise NodeLost("its shell prints without end")
    return bytes(pieces)


def _answers(output: bytes, mark: str) -> Iterator[tuple[str, tuple[bytes, int | None]]]:
    """What stands between the two lines of each number, and the exit status that the second one gives."""
    pattern = rb"\n%b (\w+)\n(.*?)\n%b \1 (\d+)\n" % (mark.encode(), mark.encode())
    for match in re.finditer(pattern, b"\n" + output, re.DOTALL):
        yield match[1].decode(), (match[2], int(match[3]))


def _greeting(said: bytes, sent: float, received: float) -> tuple[Clock | None, str]:
    words = said.decode("utf-8", "replace").split()
    if len(words) != 3 or not words[1].isdigit() or not re.fullmatch(r"[+-]\d{4}", words[2]):
        return None, ""
    east = (int(words[2][1:3]) * 3600 + int(words[2][3:]) * 60) * (-1 if words[2][0] == "-" else 1)
    now = float(words[1])
    # date(1) tells whole seconds
    clock = Clock(now, now + 0.5 - (sent + received) / 2, (received - sent) / 2 + 0.5, east, words[2])
    return clock, legible(words[0], 253)


def _result(probe: Probe, number: int, answers: Mapping[str, tuple[bytes, int | None]], clock: Clock) -> Result:
    if not _is_plain(probe) or str(number) not in answers:
        return _not_run(probe)
    output, status = answers[str(number)]
    result = Result(probe.id, shlex.join(probe.argv), exit=status, started=clock.now, stdout=redact(output))
    if status == 127:
        return replace(result, status=Status.MISSING, exit=None, stdout=b"", reason=f"{probe.argv[0]} is not there")
    if status == 126 or (probe.root and b"password is required" in output):
        return replace(result, status=Status.DENIED, exit=None, stdout=b"", reason=legible(redact(output[:4096]), 200))
    if len(output) > probe.cap:
        return replace(result, status=Status.TRUNCATED, stdout=result.stdout[: probe.cap], reason="output cut")
    return result


def _not_run(probe: Probe) -> Result:
    command = shlex.join(probe.argv) or " ".join(probe.files) or probe.id
    return Result(probe.id, command, status=Status.NOT_RUN, exit=None, reason=REASON)
