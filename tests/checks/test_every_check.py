"""Nothing is known that no test knows: every check, cause and signature is named by a test of its own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.facts.signatures import load_signatures

ROOT = Path(__file__).parents[2]
KNOWN = load_knowledge()
CHECKS = [check for check in KNOWN.checks if not check.id.startswith("log.")]


@cache
def words() -> frozenset[str]:
    """Every name in every test but this one."""
    own = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    return frozenset(word.strip(".-") for path in own for word in re.findall(r"[\w.-]+", path.read_text()))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_is_named_by_a_test(check) -> None:
    assert words() & {check.id, check.run.__name__}, (
        f"{check.id} ({check.origin}): where it finds something, and what comes near"
    )


@pytest.mark.parametrize("playbook", KNOWN.playbooks, ids=lambda playbook: playbook.cause)
def test_a_cause_is_named_by_a_test(playbook) -> None:
    assert playbook.cause in words(), f"no test names {playbook.cause}"


@pytest.mark.parametrize("signature", load_signatures([ROOT / "checks" / "logs"]), ids=lambda signature: signature.id)
def test_a_signature_has_a_real_line(signature) -> None:
    assert signature.examples
