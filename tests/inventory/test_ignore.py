"""The list `ignore:` of the inventory."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.inventory.file import read_inventory
from stackdoctor.inventory.ignore import Ignore

NODES = "nodes: [{name: a}]\nignore:\n"


def ignores(folder: Path, text: str) -> tuple[Ignore, ...]:
    (folder / "cloud.yaml").write_text(NODES + text)
    return read_inventory(folder / "cloud.yaml").ignores


def test_an_entry_names_a_finding_or_a_cause_where_why_and_until_when(tmp_path: Path) -> None:
    first, second = ignores(
        tmp_path,
        "  - {finding: 'overlay.mtu.*', node: compute1, subject: eth*, keys: {vni: 97}, reason: moved,\n"
        "     until: 2027-01-31}\n"
        "  - {cause: clock-skew, reason: 'known, no NTP there', until: '2027-02-01'}\n",
    )
    assert (first.finding, first.cause, first.node, first.subject) == ("overlay.mtu.*", "", "compute1", "eth*")
    assert (dict(first.keys), first.reason, first.until) == ({"vni": "97"}, "moved", date(2027, 1, 31))
    assert first.origin == f"{tmp_path / 'cloud.yaml'}:3"
    assert str(first) == "overlay.mtu.*, node compute1, subject eth*, vni 97"
    assert (second.cause, second.until) == ("clock-skew", date(2027, 2, 1))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{finding: a.b, until: 2027-01-31}", "needs a `reason`"),
        ("{finding: a.b, reason: x}", "needs a `until`"),
        ("{finding: a.b, reason: '', until: 2027-01-31}", "`reason` is empty"),
        ("{finding: a.b, reason: x, until: soon}", "`until` must be a day"),
        ("{finding: a.b, reason: x, until: 2027-02-30}", "`until` must be a day"),
        ("{finding: a.b, cause: c, reason: x, until: 2027-01-31}", "names a `finding` or a `cause`"),
        ("{reason: x, until: 2027-01-31}", "names a `finding` or a `cause`"),
        ("{finding: a.b, resaon: x, until: 2027-01-31}", "did you mean 'reason'"),
        ("{finding: a.b, keys: [x], reason: x, until: 2027-01-31}", "`keys` must be a mapping"),
        ("{finding: a.b, keys: {x: [1]}, reason: x, until: 2027-01-31}", "`keys` must be a mapping of words"),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"cloud\.yaml:3:\d+: ") as caught:
        ignores(tmp_path, f"  - {entry}\n")
    assert said in str(caught.value)


def test_it_must_be_a_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`ignore` must be a list"):
        ignores(tmp_path, "  finding: x\n")
