"""Two hundred secrets on a node, in every place that is looked at: none is anywhere afterwards."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import io
import os
import random
import string
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import pytest
from rich.console import Console

from stackdoctor.cli.debug_log import start_debug_log
from stackdoctor.collect.agent.secrets import redact
from stackdoctor.collect.plan import LogPattern, LogScan, LogSource, Plan
from stackdoctor.collect.run import Event, Options, collect
from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.facts.nova_config import NovaConfig
from stackdoctor.model import Node, Probe, Severity
from stackdoctor.report.formats import FORMATS, Wish, written_as
from stackdoctor.report.html_scene import make_scene
from stackdoctor.report.make import make_report
from stackdoctor.report.terminal import render
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.write import write_snapshot

_SPEC = importlib.util.spec_from_file_location("real_sshd", Path(__file__).parent / "test_sshd.py")
assert _SPEC is not None
assert _SPEC.loader is not None
real_sshd = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(real_sshd)

FORMS = (Path(__file__).parent / "planted_secrets.txt").read_text().splitlines()
"""Lines as configuration files, command lines, logs and answers have them; what stands in braces is a secret.

{s} and {t} are words, {b} is base64, {h} hexadecimal, {f} of URL-safe characters, {c} like a Ceph key.
"""


def planted(form: str, seed: int) -> tuple[str, list[str]]:
    """A line with secrets of its own, and these."""
    dice = random.Random(seed)
    word = string.ascii_letters + string.digits
    values = {
        "s": "Zq7" + "".join(dice.choices(word, k=17)),
        "t": "Yk3" + "".join(dice.choices(word, k=17)),
        "h": "".join(dice.choices("0123456789abcdef", k=32)),
        "f": "".join(dice.choices(word + "_", k=80)),
        "c": "Z" + "".join(dice.choices(word, k=36)),
    }
    values["b"] = base64.b64encode(values["s"].encode()).decode()
    return form.format(**values), [value for name, value in values.items() if f"{{{name}}}" in form]


LINES = [planted(form, seed) for seed, form in enumerate(FORMS)]
SECRETS = [secret for _, secrets in LINES for secret in secrets]
BLOCK = (
    "#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    root:BlockSecret1\n    admin:BlockSecret2\nruncmd: []\n"
)


def told(place: str, content: str) -> None:
    left = [secret for secret in (*SECRETS, "BlockSecret") if secret in content]
    assert not left, f"{place} has {left[:5]}"


def test_there_are_two_hundred_of_them() -> None:
    assert len(set(SECRETS)) >= 200


@pytest.mark.parametrize(("line", "secrets"), LINES, ids=FORMS)
def test_no_form_lets_its_secret_through(line: str, secrets: list[str]) -> None:
    once = redact(line.encode())
    assert not [secret for secret in secrets if secret.encode() in once]
    assert redact(once) == once


@pytest.fixture
def processes() -> Iterator[None]:
    """Processes that have the secrets in their command lines."""
    started = [
        subprocess.Popen(["sh", "-c", "read x", *line.split()], stdin=subprocess.PIPE, start_new_session=True)
        for line, _ in LINES[:: len(LINES) // 20]
    ]
    yield
    for process in started:
        process.communicate(b"\n")


@contextlib.contextmanager
def looked_at(folder: Path, over_ssh: bool) -> Iterator[tuple[Node, Options]]:
    """This machine, without SSH or behind a real sshd."""
    if not over_ssh:
        yield Node("localhost"), Options(timeout=60.0)
        return
    (folder / "sshd").mkdir()
    with real_sshd.running(folder / "sshd") as node:
        yield node, replace(real_sshd.options(folder / "sshd"), timeout=60.0)


@pytest.mark.parametrize("over_ssh", [False, True], ids=["here", "over sshd"])
def test_none_of_them_is_in_the_snapshot_or_in_any_report(
    tmp_path: Path, processes: None, over_ssh: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "".join(f"{line}\n" for line, _ in LINES)
    conf, log, kept = tmp_path / "nova.conf", tmp_path / "nova-compute.log", tmp_path / "kept.tar.gz"
    conf.write_text(f"[DEFAULT]\n{text}{BLOCK}")
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime())
    log.write_text("".join(f"{stamp}.123 7 ERROR nova.x [-] {line}\n" for line, _ in LINES))
    conf_probe = NovaConfig.probes[0]
    plan = Plan(
        (
            Probe(conf_probe.id, files=(str(conf),)),
            Probe("processes", ("ps", "-eo", "args", "-ww")),
            Probe("out", ("cat", str(conf))),
            Probe("err", ("sh", "-c", f"cat {conf} >&2; exit 1")),
            *(
                Probe(f"argv{n}", ("true", line))
                for n, (line, _) in enumerate(LINES[::5])
                if not set(line) & set("'\"")
            ),
        ),
        LogScan(
            3600.0,
            (LogSource("nova-compute", "auto", (str(log),)),),
            (LogPattern("any", ("*",), "ERROR", r"ERROR (?P<what>.*)", by=("what",)),),
            samples=500,
            keys_limit=500,
        ),
        seconds=60.0,
    )
    shown: set[bytes] = set()

    def look_around(event: Event) -> None:
        """What `ps` shows of the agent and of this process while it works, but for what was planted there."""
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if b"stackdoctor-agent" in (words := file.read_bytes()) or file.parent.name == str(os.getpid()):
                    shown.add(words)

    with click.Context(click.Command("collect")) as ctx, looked_at(tmp_path, over_ssh) as (node, options):
        start_debug_log(ctx, tmp_path / "debug.log")
        [found] = collect([node], plan, options, look_around)
    if over_ssh:
        told("the log of sshd", (tmp_path / "sshd" / "sshd.log").read_text())
    told("the log of --debug", (tmp_path / "debug.log").read_text())
    assert "frame {'kind': 'result'" in (tmp_path / "debug.log").read_text()
    assert any(b"stackdoctor-agent" in words for words in shown)
    told("a command line", repr(shown))
    assert found.failure == ""
    assert b"transport_url" in found.one(plan.probes[0], str(conf)).stdout
    assert b"<redacted>" in found.results["processes", ""].stdout
    assert found.results["logs.hits", ""].stdout.count(b"<redacted>") > 100
    snapshot = Snapshot((found,), 1.0, 1.0, "test")
    write_snapshot(snapshot, kept)
    with tarfile.open(kept) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            told(member.name, content.read().decode("utf-8", "replace"))
            told("a name", member.name)
    report = make_report(snapshot, analyse(snapshot, load_knowledge()))
    for form in FORMATS:
        if form != "terminal":
            told(form, written_as(report, form, Wish(True, Severity.ERROR, lambda: make_scene(snapshot))))
    page = io.StringIO()
    render(report, Console(file=page, width=200), verbose=True)
    told("the report", page.getvalue())
    told("the screen", "".join(capfd.readouterr()))


def test_what_a_node_says_instead_of_an_agent_is_redacted_too() -> None:
    from stackdoctor.collect.session import Ending, converse

    class Babbler:
        def __init__(self) -> None:
            self.words = [b"OS_PASSWORD=Zq7secret\n", b""]

        def write(self, data: bytes, deadline: float) -> None:
            pass

        def read(self, deadline: float) -> bytes:
            return self.words.pop(0)

        def last_words(self) -> str:
            return "mysql://nova:Zq7secret@db/nova; exit status 1"

    found = converse(Node("n"), Plan(()), Babbler(), Ending(), 5.0)
    assert "Zq7secret" not in found.failure
    assert "exit status 1" in found.failure
