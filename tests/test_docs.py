"""README.md and docs/: every page can be found, every command is one, and those that need no cloud run."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from stackdoctor.cli.main import stackdoctor

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(p for p in DOCS.glob("*.md") if not p.is_symlink())]
SHELL = re.compile(r"(?:^|[|;]\s*|- run: )((?:[A-Z_]+=\S+ )*)stackdoctor (?=\S)")


def lines_of_code(text: str) -> Iterator[str]:
    """What stands in fenced blocks without a language or of sh, and in indented ones below no list."""
    fence = ""
    for line in text.splitlines():
        if line.startswith("```"):
            fence = "" if fence else line
        elif (fence in ("```", "```sh")) or (not fence and line.startswith("    ")):
            yield line.strip()


def commands_in(text: str) -> Iterator[list[str]]:
    """The words after ``stackdoctor`` of every command line; pipes, redirections and comments are the shell's."""
    for line in lines_of_code(text):
        if not SHELL.search(line) or re.match(r"stackdoctor \d|stackdoctor  ", line):
            continue
        line = line.removeprefix("- run: ")
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";|>")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";|>"):
                while command and re.fullmatch(r"[A-Z_]+=\S*", command[0]):
                    del command[0]
                if command[:1] == ["stackdoctor"]:
                    yield command[1:]
                command = []
            else:
                command.append(word)


COMMANDS = {" ".join(map(shlex.quote, words)): path.name for path in TEXTS for words in commands_in(path.read_text())}


def refuse(group: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Raise a click.UsageError for what ``group`` would not take; files need not be there."""
    context = click.Context(group, parent=parent, info_name=group.name)
    values, rest, _ = group.make_parser(context).parse_args(list(words))
    for parameter in group.get_params(context):
        given = values.get(str(parameter.name))
        if parameter.required and parameter.value_is_missing(given):
            raise click.MissingParameter(ctx=context, param=parameter)
        absent = isinstance(parameter.type, click.Path | click.File)
        if isinstance(given, str | list | tuple) and given not in ("", ()) and not absent:
            parameter.type_cast_value(context, given)
    if isinstance(group, click.Group):
        if rest:
            inner = group.get_command(context, rest[0])
            if inner is None:
                raise click.UsageError(f"no command {rest[0]!r}")
            refuse(inner, rest[1:], context)
    elif rest:
        raise click.UsageError(f"too many arguments: {rest}")


def test_what_is_no_command_is_noticed() -> None:
    for wrong in ("diagnoze", "diagnose --inventry x", "explain", "diagnose --since soon", "playbook sing", "show a b"):
        with pytest.raises(click.UsageError):
            refuse(stackdoctor, wrong.split())
    assert list(commands_in("    a | X=1 stackdoctor show last > b # c\n    stackdoctor checks; stackdoctor diff")) == [
        ["show", "last"],
        ["checks"],
        ["diff"],
    ]
    assert len(COMMANDS) > 60


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_is_shown_is_one(command: str) -> None:
    try:
        refuse(stackdoctor, shlex.split(command))
    except click.UsageError as error:
        pytest.fail(f"{COMMANDS[command]}: stackdoctor {command}: {error.format_message()}")


ALONE = ("checks", "explain", "playbook", "config", "plan", "history")
"""Commands that need neither a cloud nor a snapshot."""
KEPT = ("show last", "diff")
"""Commands about runs that are kept."""
HERE = ("snapshot.tar.gz", "for-the-vendor.tar.gz", "before.json", "after.tar.gz", "sosreport-a.tar.xz", "mychecks")


def offline(command: str) -> bool:
    words = shlex.split(command)
    if "--from-cloud" in words or "--os-cloud" in words or words[0] == "test":
        return False
    from_file = "--from" in words and words[words.index("--from") + 1] in HERE
    explained = words[0] == "triage" and "--line" in words and not {"-i", "--inventory", "-"} & set(words)
    return words[0] in ALONE or command in KEPT or "--demo" in words or from_file or explained or "before.json" in words


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the documentation speaks of."""
    folder = tmp_path_factory.mktemp("place")
    recorded = ROOT / "fixtures" / "conductor-hung" / "snapshot.tar.gz"
    for name in ("snapshot.tar.gz", "for-the-vendor.tar.gz", "after.tar.gz"):
        shutil.copy(recorded, folder / name)
    (folder / "cloud.yaml").write_text("nodes: [controller, compute1]\n")
    (folder / "FILE").write_text("since: 2h\n")
    for name in ("a", "b"):
        log = folder / f"sosreport-{name}" / "var" / "log" / "nova" / "nova-compute.log"
        log.parent.mkdir(parents=True)
        log.write_text("2026-11-22 23:45:52.653 298 ERROR oslo_messaging [-] MessagingTimeout\n")
        (folder / f"sosreport-{name}" / "hostname").write_text(f"{name}\n")
        (folder / f"sosreport-{name}" / "sos_commands").mkdir()
        (folder / f"sosreport-{name}" / "sos_commands" / "date").mkdir()
    with tarfile.open(folder / "sosreport-a.tar.xz", "w:xz") as archive:
        archive.add(folder / "sosreport-a", "sosreport-a")
    guide = (DOCS / "extending.md").read_text()
    python, yamls = (re.findall(rf"```{kind}\n(.*?)```", guide, re.DOTALL) for kind in ("python", "yaml"))
    (folder / "mychecks").mkdir()
    (folder / "mychecks" / "memory.py").write_text(python[0])
    (folder / "mychecks" / "mine.yaml").write_text(yamls[0])
    (folder / "myplaybooks").mkdir()
    (folder / "myplaybooks" / "lost-its-way.yaml").write_text(yamls[1])
    run("diagnose --from snapshot.tar.gz --keep-run", folder)
    done = run("diagnose --from snapshot.tar.gz --keep-run --format json", folder)
    (folder / "before.json").write_text(done.stdout)
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    elsewhere = {
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    return subprocess.run(
        [sys.executable, "-m", "stackdoctor", *shlex.split(command)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **elsewhere},
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("command", [command for command in COMMANDS if offline(command)])
def test_every_command_that_needs_no_cloud_runs(command: str, place: Path) -> None:
    done = run(command, place)
    assert done.returncode in (0, 1), f"{COMMANDS[command]}: {done.stderr}"
    assert done.stdout, done.stderr
    assert "Traceback" not in done.stderr


def test_every_page_is_in_the_navigation_once() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())

    def pages(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        for inner in entry if isinstance(entry, list) else entry.values() if isinstance(entry, dict) else ():
            yield from pages(inner)

    assert sorted(pages(config["nav"])) == sorted(path.name for path in DOCS.glob("*.md"))


def test_readme_shows_what_the_demo_prints() -> None:
    """Stale: run `make README.md`."""
    script = runpy.run_path(str(DOCS / "readme.py"))
    shown = script["SHOWN"].search((ROOT / "README.md").read_text())
    assert script["timeless"](shown[0]) == script["timeless"](script["printed"]())


def test_every_page_that_readme_names_is_there() -> None:
    for name in re.findall(r"\]\(([^)h][^)#]*)|# (docs/\S+\.md)|\((docs/\S+\.md)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / "".join(name)).exists(), name


def test_the_reports_keys_are_described() -> None:
    schema = json.loads((ROOT / "stackdoctor" / "report" / "schema.json").read_text())["$defs"]
    page = (DOCS / "outputs.md").read_text()
    words = set(re.findall(r"`(\w+)(?:\[\])?`", page[page.index("## JSON") : page.index("## JUnit")]))
    for name in ("report", "node", "diagnosis", "finding"):
        assert set(schema[name]["properties"]) <= words | {"seconds", "name"}, name
