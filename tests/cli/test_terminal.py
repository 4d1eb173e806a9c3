"""On a real terminal, of every size and kind: pager, colours, width."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

HUNG = str(Path(__file__).parents[2] / "fixtures" / "conductor-hung" / "snapshot.tar.gz")
DIAGNOSE = ("diagnose", "--from", HUNG)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(*arguments: str, lines: int = 24, columns: int = 80, **environment: str) -> tuple[int, str]:
    """The exit status and what came onto a terminal of ``lines`` and ``columns``."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES", "LESS", "PAGER")}
    process = subprocess.Popen(
        [sys.executable, "-m", "stackdoctor", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 65536):
            seen += piece
    except OSError:  # EIO: the last one that had the terminal open is gone
        pass
    finally:
        os.close(ours)
    return process.wait(timeout=60), seen.decode().replace("\r\n", "\n")


@pytest.fixture
def pager(tmp_path: Path) -> str:
    """A pager that marks each line and has no end to wait for."""
    program = tmp_path / "pager"
    program.write_text("#!/bin/sh\nexec sed s/^/paged:/\n")
    program.chmod(0o755)
    return str(program)


def test_what_is_longer_than_the_screen_goes_through_the_pager_and_keeps_its_status(pager: str) -> None:
    status, seen = on_terminal(*DIAGNOSE, PAGER=pager)
    assert status == 1
    assert seen.count("paged:") > 24
    assert ESCAPE.search(seen)


def test_what_fits_is_printed_and_so_is_all_where_no_pager_is_wanted(pager: str) -> None:
    plain = [
        on_terminal(*DIAGNOSE, PAGER=pager, lines=400),
        on_terminal("--no-pager", *DIAGNOSE, PAGER=pager),
        on_terminal(*DIAGNOSE, PAGER=""),
    ]
    assert [("paged:" in seen, status) for status, seen in plain] == [(False, 1)] * 3
    assert plain[0] == plain[1] == plain[2]
    assert ESCAPE.search(plain[0][1])


def test_no_color_and_a_dumb_terminal_get_no_escape(pager: str) -> None:
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        _, seen = on_terminal(*DIAGNOSE, **{"PAGER": pager, **environment})
        assert re.search("\x1b\\[[0-9;]*(3|4|9)[0-9]", seen) is None
        assert "rpc-consumer-hung" in seen
    assert "\x1b" not in on_terminal(*DIAGNOSE, TERM="dumb")[1]


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_terminal_gets_lines_that_fit(columns: int) -> None:
    """But for what is copied from the screen, the commands of Confirm and Fix: they are never cut."""
    _, seen = on_terminal("--no-pager", *DIAGNOSE, columns=columns)
    report = json.loads(on_terminal("--no-pager", *DIAGNOSE, "--format", "json")[1])
    copied = json.dumps([[d["confirm"], [step["do"] for step in d["fix"]]] for d in report["diagnoses"]])
    wide = [line.strip() for line in ESCAPE.sub("", seen).split("\n") if len(line) > columns]
    assert [line for line in wide if line not in copied] == []


def test_columns_counts_over_what_the_terminal_says() -> None:
    _, seen = on_terminal("--no-pager", *DIAGNOSE, columns=200, COLUMNS="50")
    assert on_terminal("--no-pager", *DIAGNOSE, columns=50) == (1, seen)


def test_explain_and_the_list_of_checks_are_paged(pager: str) -> None:
    assert on_terminal("checks", PAGER=pager)[1].startswith("paged:")
    assert on_terminal("explain", "rpc-consumer-hung", PAGER=pager, lines=5)[1].startswith("paged:")
