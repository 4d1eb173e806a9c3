"""Checks are written with the public names, facts and the firewall evaluator, and nothing else of the engine."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CHECKS = Path(__file__).parent.parent.parent / "checks"
ALLOWED = ("stackdoctor.api", "stackdoctor.facts", "stackdoctor.firewall", "stackdoctor.checks")


@pytest.mark.parametrize("file", sorted(CHECKS.rglob("*.py")), ids=lambda file: str(file.relative_to(CHECKS)))
def test_a_check_imports_downwards_only(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    outside = {name for name in imported if name.startswith("stackdoctor") and not name.startswith(ALLOWED)}
    assert outside == set()
