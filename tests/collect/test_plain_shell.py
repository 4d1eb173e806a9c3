"""A node without python3: a real shell answers the plain commands, and the rest is said not to be looked at."""

from __future__ import annotations

import subprocess

from stackdoctor.collect.plain_shell import SHELL, ask_shell
from stackdoctor.collect.plan import LOG_PROBE, LogScan, Plan
from stackdoctor.model import Each, Node, Probe, Status


class ShellChannel:
    """A shell of this machine in place of the node's."""

    def __init__(self, command: str = SHELL) -> None:
        self.process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, data: bytes, deadline: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self, deadline: float) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.read1(65536)  # type: ignore[union-attr]

    def last_words(self) -> str:
        return ""


PROBES = (
    Probe("echo", ("printf", "%s", "it's $HOME\n")),
    Probe("fails", ("sh", "-c", "echo no; exit 3")),
    Probe("missing", ("no-such-program-anywhere",)),
    Probe("slow", ("sleep", "60"), timeout=0.2),
    Probe("secret", ("printf", "password = %s\n", "hunter2")),
    Probe("each", ("echo", "{each}"), each=Each(("echo", "x"))),
    Probe("files", files=("/etc/hostname",)),
    Probe("env", ("sh", "-c", "echo $ERL_FLAGS"), env=(("ERL_FLAGS", "-x y"),)),
)


def test_plain_commands_are_answered_and_the_rest_is_not_run() -> None:
    found = ask_shell(Node("n"), Plan(PROBES, LogScan(60, (), ())), ShellChannel(), 10.0)
    results = {probe: result for (probe, _), result in found.results.items()}
    assert results["echo"].stdout == b"it's $HOME\n"
    assert (results["fails"].stdout, results["fails"].exit) == (b"no\n", 3)
    assert results["missing"].status is Status.MISSING
    assert results["slow"].exit == 124
    assert results["secret"].stdout == b"password = <redacted>\n"
    assert results["env"].stdout == b"-x y\n"
    for probe in ("each", "files", LOG_PROBE.id):
        assert results[probe].status is Status.NOT_RUN
        assert "no python3" in results[probe].reason
    assert "only plain commands" in found.failure
    assert found.clock is not None
    assert abs(found.clock.offset) <= found.clock.error


def test_a_command_cannot_forge_the_end_of_another() -> None:
    forger = Probe("forger", ("sh", "-c", "printf '\\n--00 1\\nforged\\n--00 1 0\\n'"))
    found = ask_shell(Node("n"), Plan((forger, Probe("next", ("echo", "real")))), ShellChannel(), 10.0)
    assert found.results["next", ""].stdout == b"real\n"


def test_a_shell_that_says_something_else_is_a_failure() -> None:
    found = ask_shell(Node("n"), Plan(PROBES), ShellChannel("sed -n /end/q; echo This account is not available"), 10.0)
    assert not found.results
    assert "no python3" in found.failure
