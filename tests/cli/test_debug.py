"""--debug: every step in a file of its owner's, no secret in it, and nothing on the screen."""

from __future__ import annotations

import logging
import os
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from stackdoctor.cli.debug_log import _LogFile, start_debug_log
from stackdoctor.errors import UsageError

Run = Callable[..., subprocess.CompletedProcess[str]]
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:(?:node|ssh|resolve|apis|Thread)\S* ?\S* )?[\w.]+: ")


@pytest.mark.parametrize("by", ["program", "command", "variable"])
def test_a_run_tells_its_steps_to_the_file_and_nothing_of_them_to_the_screen(
    run: Run, inventory: Path, tmp_path: Path, by: str
) -> None:
    log, command = tmp_path / "run.log", ["diagnose", "-i", str(inventory)]
    if by == "variable":
        told = run(*command, STACKDOCTOR_DEBUG=str(log))
    else:
        told = run(*(["--debug", str(log), *command] if by == "program" else [*command, "--debug", str(log)]))
    assert told.returncode == 1
    assert re.fullmatch(r"(\[\d/4\] \w+: done \(.*\)\n){4}", told.stderr)
    assert "Z node controller" not in told.stdout + told.stderr
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    text = log.read_text()
    for step in (
        "stackdoctor: stackdoctor 0.",
        "with paramiko ",
        "asked for: ",
        "the plan: ",
        "node controller collect.dial: connected to",
        "node controller collect.dial: it greets: SSH-2.0-",
        "Kex: curve25519",
        "node controller collect.ssh: its host key",
        " (ecdsa-sha2-nistp256) logs ",
        "runs the agent",
        "the agent and its plan are sent after",
        "frame {'kind': 'hello'",
        "frame {'kind': 'result'",
        "'probe': 'logs.hits'",
        "frame {'kind': 'done'",
        "looked for ",
        "causes: rpc-consumer-hung",
        "the command ends",
    ):
        assert step in text, step
    assert "demo.server" not in text
    lines = text.splitlines()
    assert lines[0] == "stackdoctor debug log, version 1"
    assert all(RECORD.match(line) or line.startswith("    | ") for line in lines[1:])
    assert text.isascii() or text.isprintable()


def test_an_error_of_use_is_in_it_with_its_traceback(run: Run, tmp_path: Path) -> None:
    told = run("--debug", "run.log", "diagnose", "-i", "none.yaml")
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    text = (tmp_path / "run.log").read_text()
    assert "it ends with UsageError" in text
    assert "\n    | Traceback" in text


def test_a_log_is_appended_to_and_made_its_owners_only(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    for _ in range(2):
        run("--debug", "run.log", "diagnose", "-i", "none.yaml")
        log.chmod(0o644)
    run("--debug", "run.log", "diagnose", "-i", "none.yaml")
    assert log.read_text().count("stackdoctor debug log") == 1
    assert log.read_text().count("asked for: ") == 3
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("other.txt", "is there and no debug log"),
        (".", "Is a directory"),
        ("none/run.log", "No such file or directory"),
        ("/dev/null", "is no regular file"),
        ("link", "Too many levels of symbolic links"),
    ],
)
def test_what_is_no_log_is_refused_and_left_as_it_was(run: Run, tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "other.txt").write_text("precious\n")
    (tmp_path / "link").symlink_to("other.txt")
    told = run("--debug", name, "checks")
    assert (told.returncode, told.stdout) == (2, "")
    assert why in told.stderr
    assert "Traceback" not in told.stderr
    assert (tmp_path / "other.txt").read_text() == "precious\n"


def test_a_log_that_does_not_fit_is_said_once_and_the_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    handler = _LogFile(os.open("/dev/full", os.O_WRONLY), Path("run.log"))
    for _ in range(3):
        handler.emit(logging.makeLogRecord({"name": "x", "msg": "one"}))
    handler.close()
    assert capsys.readouterr().err == "stackdoctor: the debug log run.log is not whole: No space left on device\n"


@pytest.fixture
def logged(tmp_path: Path) -> Callable[..., str]:
    """A record, written by the handler that --debug has, and the file's text after it."""

    def logged_(*arguments: object, **options: object) -> str:
        with click.Context(click.Command("x")) as ctx:
            start_debug_log(ctx, tmp_path / "x.log")
            logging.getLogger("stackdoctor.collect.x").debug(*arguments, **options)  # type: ignore[arg-type]
        return (tmp_path / "x.log").read_text()

    return logged_


def test_hostile_text_is_one_inert_line(logged: Callable[..., str]) -> None:
    text = logged("it says %s", "\x1b[2J\u202egone\n2026-11-23T01:29:00.769Z collect.x: all is well\r\x9b\0\ud800")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.isascii()
    assert r"\x1b[2J\u202egone" in text
    assert "\n    | 2026-11-23T01:29:00.769Z collect.x: all is well" in text


def test_secrets_are_redacted_in_messages_and_in_tracebacks(logged: Callable[..., str]) -> None:
    try:
        raise ValueError("password=Zq7first rabbit://nova:Zq7second@192.0.2.1/")
    except ValueError:
        text = logged("transport_url = %s", "rabbit://nova:Zq7third@192.0.2.1:5672/", exc_info=True)
    assert "Zq7" not in text
    assert text.count("<redacted>") >= 3
    assert "    | ValueError" in text


def test_a_long_record_is_cut_and_no_half_of_a_secret_is_left(logged: Callable[..., str]) -> None:
    cut = "x" * 65_500 + "\nrabbit://nova:" + "Zq7" * 500 + "@192.0.2.1/"
    text = logged("%s", cut)
    assert len(text) < 10_000
    assert "Zq7" not in text


def test_the_log_ends_with_the_command(tmp_path: Path) -> None:
    with click.Context(click.Command("x")) as ctx:
        start_debug_log(ctx, tmp_path / "x.log")
        start_debug_log(ctx, tmp_path / "y.log")
    logging.getLogger("stackdoctor.x").warning("later")
    assert "later" not in (tmp_path / "x.log").read_text() + (tmp_path / "y.log").read_text()
    assert not logging.getLogger("stackdoctor").handlers
    with click.Context(click.Command("x")) as ctx, pytest.raises(UsageError):
        start_debug_log(ctx, tmp_path)
