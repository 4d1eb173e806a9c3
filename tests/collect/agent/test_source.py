"""The agent is one file of the standard library, for every Python from 3.6 on."""

from __future__ import annotations

import ast
import io
import marshal
import subprocess
import sys
import zlib
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.collect import agent
from stackdoctor.collect.agent import PARTS, program, source, wanted
from stackdoctor.collect.agent.wire import BOOT, piece

TREE = ast.parse(source(), feature_version=(3, 6))


def test_it_is_valid_python_of_3_6_and_imports_the_standard_library_only() -> None:
    imported = {alias.name for node in ast.walk(TREE) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(TREE) if isinstance(node, ast.ImportFrom)}
    imported = {name.partition(".")[0] for name in imported}
    assert imported <= set(sys.stdlib_module_names)
    assert "stackdoctor" not in imported


def test_what_takes_long_to_import_is_not_imported_where_logs_and_apis_are_not_asked_for() -> None:
    written = source(wanted(logs=False, apis=False)) + b"\nprint(*sys.modules)\n"
    done = run("exec(sys.stdin.read())", written.replace(b"__agent__", b"elsewhere"))
    assert "_thread" in done
    slow = {
        "typing",
        "collections",
        "functools",
        "threading",
        "shutil",
        "subprocess",
        "glob",
        "logging",
        "gzip",
        "http",
        "ssl",
    }
    slow |= {"re", "enum", "json", "signal", "fnmatch"}  # which lines without secrets do not need
    assert not slow & set(done)


@pytest.mark.parametrize(("magic", "chosen"), [(MAGIC_NUMBER, "compiled"), (b"\0\0\r\n", "written")])
def test_a_python_like_ours_runs_what_is_compiled_and_every_other_one_the_source(magic: bytes, chosen: str) -> None:
    written, compiled = (f"print({which!r}, __name__)" for which in ("written", "compiled"))
    bytecode = marshal.dumps(compile(compiled, "agent", "exec"))
    sent = piece(zlib.compress(written.encode())) + piece(magic + zlib.compress(bytecode))
    assert run(BOOT, sent) == [chosen, "__agent__"]


def test_what_is_sent_is_the_source_and_what_it_compiles_to() -> None:
    stream = io.BytesIO(program(source(PARTS)))
    written, compiled = (stream.read(int(stream.readline())) for _ in range(2))
    assert zlib.decompress(written) == source(PARTS)
    assert compiled.startswith(MAGIC_NUMBER)
    defined: dict[str, Any] = {"__name__": "elsewhere"}
    exec(marshal.loads(zlib.decompress(compiled[4:])), defined)
    assert defined["main"]


def test_what_a_wheel_has_compiled_is_sent_as_it_is_and_what_was_changed_since_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = dict(agent.built())
    assert len(kept) == 5
    now = [program.__wrapped__(source(modules)) for modules in (wanted(logs=True, apis=True), agent.ARCHIVED)]
    assert set(now) <= set(kept.values())
    for name in kept:
        (tmp_path / name).write_bytes(b"kept")
    monkeypatch.setattr(agent, "BUILT", tmp_path)
    written = source(wanted(logs=False, apis=False))
    assert program.__wrapped__(written) == b"kept"
    assert program.__wrapped__(written + b"# changed\n").startswith(
        b"%d\n" % len(zlib.compress(written + b"# changed\n"))
    )


def run(code: str, given: bytes) -> list[str]:
    """The words that a Python started as on a node prints."""
    command = [sys.executable, "-EsS", "-c", f"import sys;{code}"]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout.decode().split()


def test_no_part_hides_a_name_of_another() -> None:
    names = [node.name for node in TREE.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    names += [
        target.id
        for node in TREE.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert sorted(names) == sorted(set(names))


def test_every_part_is_sent_once_and_each_after_those_that_it_needs() -> None:
    assert len(set(PARTS)) == len(PARTS)
    known: set[str] = set(dir(__builtins__)) | {"__name__", "__file__"} | set(vars(__import__("builtins")))
    for node in TREE.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            known |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            known.add(node.name)
        elif isinstance(node, ast.Assign):
            used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            bound = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            assert used - bound <= known
            known |= {n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)}


def test_it_does_nothing_but_define_until_it_is_started_as_the_agent() -> None:
    exec(compile(source(), "agent", "exec"), {"__name__": "__elsewhere__"})
