"""docs/checks.md lists everything that has an id."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stackdoctor.cli.checks import first_sentence
from stackdoctor.diagnose.knowledge import load_knowledge

DOC = Path(__file__).parent.parent / "docs" / "checks.md"


def test_the_list_is_what_the_command_writes() -> None:
    """Stale: run `make docs/checks.md`."""
    command = [sys.executable, "-m", "stackdoctor", "checks", "--markdown"]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert DOC.read_text() == written


def test_every_check_signature_and_cause_stands_in_it_once() -> None:
    rows = [line for line in DOC.read_text().splitlines() if line.startswith("| `")]
    for id_ in load_knowledge().explainable():
        assert sum(row.startswith(f"| `{id_}` |") for row in rows) == 1, id_


def test_every_cause_stands_with_each_of_its_systems() -> None:
    rows = {row.split(" | ")[0][2:]: row.split(" | ")[1:] for row in DOC.read_text().splitlines() if " | " in row}
    for playbook in load_knowledge().playbooks:
        for system in playbook.systems:
            assert playbook.cause in rows[system][0].split(", "), (system, playbook.cause)
    assert "dhcp.lease.other-mac" in rows["dhcp"][2].split(", ")
    assert "dnsmasq" in rows["dhcp"][1].split(", ")


def test_a_first_sentence_ends_at_its_end_and_cannot_break_the_table() -> None:
    assert first_sentence("One is at 1.5 % of\n  it. Two.\n\nThree.") == "One is at 1.5 % of it."
    assert first_sentence("a | b <c> d_e*.") == r"a \| b \<c\> d\_e\*."
