"""The agent is one file of the standard library, for every Python from 3.6 on."""

from __future__ import annotations

import ast
import sys

from stackdoctor.collect.agent import PARTS, source

TREE = ast.parse(source(), feature_version=(3, 6))


def test_it_is_valid_python_of_3_6_and_imports_the_standard_library_only() -> None:
    imported = {alias.name for node in ast.walk(TREE) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(TREE) if isinstance(node, ast.ImportFrom)}
    imported = {name.partition(".")[0] for name in imported}
    assert imported <= set(sys.stdlib_module_names)
    assert "stackdoctor" not in imported


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
