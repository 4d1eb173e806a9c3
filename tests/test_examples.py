"""The examples: they parse, every command line of stackdoctor in them is one, and the steps of CI jobs run."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from stackdoctor.cli.main import COMMANDS, stackdoctor

ROOT = Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("real_sshd", ROOT / "tests" / "collect" / "test_sshd.py")
assert _SPEC is not None
assert _SPEC.loader is not None
real_sshd = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(real_sshd)

EXAMPLES = ROOT / "examples"
FILES = sorted(path for path in EXAMPLES.rglob("*") if path.is_file())
UNITS = EXAMPLES / "systemd"
PROGRAM = re.compile(r"(?:^|[\s/])stackdoctor\s+(?P<line>(?:%s)\s.*)" % "|".join(COMMANDS), re.MULTILINE)  # noqa: UP031


def texts(path: Path) -> Iterator[str]:
    """What may be a command line: the strings of YAML, the joined lines of all else, those of comments too."""
    text = path.read_text()
    if path.suffix in (".yml", ".yaml"):
        yield from strings(yaml.safe_load(text))
    yield re.sub(r"^(#.*)\\\n#\s*", r"\1 ", text, flags=re.MULTILINE)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield " ".join(value.split())
    elif isinstance(value, dict):
        yield from (text for each in value.values() for text in strings(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in strings(each))


def command_lines(path: Path) -> list[str]:
    return [re.sub(r"\{\{.*?\}\}", "VALUE", found["line"]) for text in texts(path) for found in PROGRAM.finditer(text)]


def parsed(line: str) -> click.Context:
    context = click.Context(stackdoctor, info_name="stackdoctor")
    name, *rest = shlex.split(line)
    command = stackdoctor.get_command(context, name)
    assert command is not None
    return command.make_context(name, rest, parent=context)


def test_each_subject_has_an_example() -> None:
    with_commands = {str(path.relative_to(EXAMPLES)) for path in FILES if command_lines(path)}
    assert with_commands == {
        "Containerfile",
        "github-action.yml",
        "gitlab-ci.yml",
        "systemd/stackdoctor.service",
        "zuul/playbooks/diagnose.yaml",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_command_lines_are_stackdoctor_s(path: Path) -> None:
    for line in command_lines(path):
        context = parsed(line)
        for output in context.params["paths"]:
            from stackdoctor.report.formats import SUFFIXES

            assert output.suffix in SUFFIXES


def test_a_command_line_that_is_none_is_seen() -> None:
    with pytest.raises(click.NoSuchOption):
        parsed("diagnose --inventry cloud.yaml")


def test_the_playbook_of_zuul_s_job_is_there() -> None:
    (entry,) = yaml.safe_load((EXAMPLES / "zuul" / "jobs.yaml").read_text())
    assert (EXAMPLES / "zuul" / entry["job"]["post-run"]).is_file()


def test_the_steps_of_the_image_name_what_there_is() -> None:
    """Each RUN and ENTRYPOINT of it installs, and starts, what the stage before has put there."""
    text = (EXAMPLES / "Containerfile").read_text()
    extras = (ROOT / "setup.cfg").read_text().partition("[options.extras_require]")[2]
    (extra,) = re.findall(r"/source\[(\w+)\]", text)
    assert f"\n{extra} =" in extras
    venvs = set(re.findall(r"/opt/\w+", text))
    assert venvs == {"/opt/stackdoctor"}
    assert re.search(r"^USER stackdoctor$", text, re.MULTILINE)


def steps_of(name: str) -> list[str]:
    """What the job has a shell do, in order."""
    jobs = yaml.safe_load((EXAMPLES / name).read_text())
    if "jobs" in jobs:
        return [step["run"] for step in jobs["jobs"]["diagnose"]["steps"] if "run" in step]
    return [*jobs["diagnose"]["before_script"], *jobs["diagnose"]["script"]]


@pytest.mark.parametrize(
    ("name", "written"),
    [("github-action.yml", ("report.html", "report.json")), ("gitlab-ci.yml", ("report.html", "report.xml"))],
)
def test_the_steps_of_a_job_run_and_leave_what_it_uploads(name: str, written: tuple[str, ...], tmp_path: Path) -> None:
    """Against a real sshd, in a shell as the runner has it; only the installation is that of these tests."""
    work, programs = tmp_path / "work", tmp_path / "bin"
    work.mkdir()
    programs.mkdir()
    (programs / "pip").write_text("#!/bin/sh\nexit 0\n")
    (programs / "pip").chmod(0o755)
    (programs / "stackdoctor").symlink_to(Path(sys.executable).parent / "stackdoctor")
    with real_sshd.running(tmp_path) as node:
        entry = {"name": "node", "address": node.address, "port": node.port, "user": node.user, "key": node.key}
        (work / "cloud.yaml").write_text(yaml.safe_dump({"nodes": [entry]}))
        shutil.copy(tmp_path / "known_hosts", work / "known_hosts")
        environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "SSH_KEY": str(node.key),
        }
        for step in steps_of(name):
            shell = ["bash", "-e", "-o", "pipefail", "-c", step]
            done = subprocess.run(shell, cwd=work, capture_output=True, text=True, check=False, env=environment)
            found = step.startswith("stackdoctor") and done.returncode == 1  # in what this machine runs
            assert done.returncode == 0 or found, (step, done.stderr)
    for file in written:
        assert (work / file).stat().st_size > 1000, file


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units_and_finds_them_hardened(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/usr/bin/stackdoctor", "/bin/true"))
    environment = {**os.environ, "MANPATH": str(ROOT / "share" / "man")}
    units = [str(tmp_path / unit.name) for unit in UNITS.iterdir()]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    service = str(tmp_path / "stackdoctor.service")
    secure = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", service]
    done = subprocess.run(secure, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]
