"""What shells and man(1) are told: up to date, and good for what they are for."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from stackdoctor.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
SHARE = ROOT / "share"
PAGE = SHARE / "man" / "man1" / "stackdoctor.1"
BASH = SHARE / "bash-completion" / "completions" / "stackdoctor"
SCRIPTS = {
    "bash": BASH,
    "zsh": SHARE / "zsh" / "site-functions" / "_stackdoctor",
    "fish": SHARE / "fish" / "vendor_completions.d" / "stackdoctor.fish",
}
MADE_BY = re.search(r"^click==(\S+)", (ROOT / "requirements" / "constraints.txt").read_text(), re.MULTILINE)

same_click = pytest.mark.skipif(
    MADE_BY is None or MADE_BY[1] != version("click"),
    reason="another click than that of requirements words it its way",
)


def stackdoctor(*arguments: str, **environment: str) -> str:
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'stackdoctor';from stackdoctor.cli.main import main; main()",
        *arguments,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    return done.stdout


@same_click
@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_completion_of_a_shell_is_what_click_makes_now(shell: str) -> None:
    made = stackdoctor(_STACKDOCTOR_COMPLETE=f"{shell}_source")
    assert SCRIPTS[shell].read_text() == made, "it is stale: make share"


@same_click
def test_the_man_page_is_what_the_commands_say_now() -> None:
    made = subprocess.run([sys.executable, str(SHARE / "man_page.py")], capture_output=True, text=True, check=True)
    assert PAGE.read_text() == made.stdout, "it is stale: make share"


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_renders_without_a_warning() -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", str(PAGE)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    text = re.sub("\x1b\\[[0-9;]*m|.\b", "", done.stdout)
    assert [name for name in COMMANDS if f"stackdoctor {name}" not in text] == []
    assert "stackdoctor trace request" in text


@pytest.fixture
def on_path(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell that finds the program."""
    program = tmp_path / "stackdoctor"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c \'import sys; sys.argv[0] = "stackdoctor";'
        "from stackdoctor.cli.main import main; main()'\n"
    )
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "TERM": "xterm"}


@pytest.mark.parametrize(
    ("words", "among"),
    [
        (("explain", "rpc-cons"), "rpc-consumer-hung"),
        (("explain", "rabbitmq.queue.no-con"), "rabbitmq.queue.no-consumer"),
        (("playbook", "show", "rpc-cons"), "rpc-consumer-hung"),
        (("diagnose", "--why", "rpc-cons"), "rpc-consumer-hung"),
        (("triage", "--symptom", "no-ad"), "no-address"),
        (("diagnose", "--invent"), "--inventory"),
    ],
)
def test_bash_completes(words: tuple[str, ...], among: str, on_path: dict[str, str]) -> None:
    quoted = " ".join(("stackdoctor", *words))
    script = f"source {BASH}; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _stackdoctor_completion stackdoctor;"
    done = subprocess.run(
        ["bash", "-c", script + 'printf "%s\\n" "${COMPREPLY[@]}"'],
        capture_output=True,
        text=True,
        check=False,
        env=on_path,
    )
    assert among in done.stdout.split(), done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(on_path: dict[str, str]) -> None:
    script = f"source {SCRIPTS['fish']}; complete --do-complete 'stackdoctor explain rpc-cons'"
    done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=False, env=on_path)
    assert "rpc-consumer-hung" in done.stdout.split(), done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes(on_path: dict[str, str]) -> None:
    """In a terminal of its own, where it has its line editor: a unique beginning and the tabulator key."""
    mine, its = pty.openpty()
    began = f"fpath=({SCRIPTS['zsh'].parent} $fpath); autoload -U compinit; compinit -D -u; PS1='re''ady> '\n"
    with subprocess.Popen(["zsh", "-f", "-i"], stdin=its, stdout=its, stderr=its, env=on_path, close_fds=True) as zsh:
        try:
            os.write(mine, began.encode())
            said_until(mine, b"ready> ")
            os.write(mine, b"stackdoctor explain rpc-consumer-h\t")
            assert said_until(mine, b"rpc-consumer-hung")
        finally:
            zsh.kill()
            os.close(mine)
            os.close(its)


def said_until(terminal: int, wanted: bytes) -> bytes:
    """What a program prints, control sequences apart, until ``wanted`` is in it."""
    said = b""
    while wanted not in re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\r", b"", said):
        readable, _, _ = select.select([terminal], [], [], 30)
        assert readable, said
        said += os.read(terminal, 4096)
    return said
