"""A healthy cloud whose answers are cut, in another language, refused or too many: said, no crash, no false alarm."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.runner import Examination, examine
from stackdoctor.model import NodeResults, Result, Severity, Status
from stackdoctor.snapshot.read import read_snapshot

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "facts" / "samples" / "openstack" / "zed.json"
GERMAN = (
    "Dateisystem    Typ      1024-Blöcke  Benutzt Verfügbar Kapazität Eingehängt auf\n"
    "/dev/vda1      ext4       264212084 27545488  78845424      100% /\n"
)
NOT_ALLOWED = (77, "sudo: a password is required\nError: only root or rabbitmq can run rabbitmqctl\n")


@pytest.fixture(scope="module")
def healthy() -> list[NodeResults]:
    return list(read_snapshot(ROOT / "fixtures" / "healthy" / "snapshot.tar.gz").nodes)


def changed(nodes: list[NodeResults], change: Callable[[Result], Result]) -> list[NodeResults]:
    return [replace(node, results={key: change(result) for key, result in node.results.items()}) for node in nodes]


def judged(nodes: list[NodeResults], knowledge: Any) -> Examination:
    """What is found; that a check broke, or that a cause is named, is a failure."""
    examination = examine(nodes, knowledge.checks)
    assert [m for m in examination.not_checked if m.reason.startswith("the check failed")] == []
    assert [f.id for f in examination.findings if f.severity >= Severity.ERROR] == []
    assert [d.cause for d in correlate(knowledge.playbooks, examination).diagnoses if d.severity >= 2] == []
    return examination


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_answers_that_were_cut_at_their_cap_prove_nothing(
    healthy: list[NodeResults], knowledge: Any, part: float
) -> None:
    def cut(result: Result) -> Result:
        return replace(result, stdout=result.stdout[: int(len(result.stdout) * part)], status=Status.TRUNCATED)

    examination = judged(changed(healthy, cut), knowledge)
    assert len(examination.not_checked) > 30


def test_json_that_ends_in_the_middle_is_no_answer(healthy: list[NodeResults], knowledge: Any) -> None:
    def cut(result: Result) -> Result:
        half = result.stdout[: len(result.stdout) // 2]
        return replace(result, stdout=half) if result.stdout[:1] in (b"[", b"{") else result

    assert any("JSON" in missed.reason for missed in judged(changed(healthy, cut), knowledge).not_checked)


@pytest.mark.parametrize("status", [Status.DENIED, Status.TIMED_OUT, Status.NOT_RUN, Status.MISSING])
def test_a_cloud_that_answers_nothing_is_not_called_ill(
    healthy: list[NodeResults], knowledge: Any, status: Status
) -> None:
    silent = changed(healthy, lambda result: replace(result, stdout=b"", stderr=b"", exit=None, status=status))
    assert judged(silent, knowledge).not_checked


def test_garbage_in_every_answer_is_no_fault(healthy: list[NodeResults], knowledge: Any) -> None:
    noise = bytes(range(256)) * 40 + b"\n" + b"x" * 1_000_000
    judged(changed(healthy, lambda result: replace(result, stdout=noise)), knowledge)


def test_a_table_of_sizes_in_another_language_is_not_understood_and_said(look: Any, knowledge: Any) -> None:
    results = {("disks.bytes", ""): Result("disks.bytes", "df -P -T", stdout=GERMAN.encode())}
    examination = judged([NodeResults(_node(), results)], knowledge)
    assert {m.check for m in examination.not_checked if "df" in m.reason or "header" in m.reason} >= {"host.disk.full"}


def _node() -> Any:
    from stackdoctor.model import Node

    return Node("controller")


def test_a_broker_that_may_not_be_asked_is_not_called_down(healthy: list[NodeResults], knowledge: Any) -> None:
    def refuse(result: Result) -> Result:
        if not result.probe.startswith("rabbitmq."):
            return result
        return replace(result, stdout=b"", exit=NOT_ALLOWED[0], stderr=NOT_ALLOWED[1].encode())

    examination = judged(changed(healthy, refuse), knowledge)
    assert any(m.check.startswith("rabbitmq.") and "rabbitmq" in m.reason for m in examination.not_checked)


@pytest.mark.parametrize("services", [("volume", "placement"), ("compute", "network"), ("identity", "volume")])
def test_a_catalog_that_has_half_of_the_services_lacks_no_more(
    look: Any, knowledge: Any, services: tuple[str, ...]
) -> None:
    answers: dict[str, Any] = {}
    for row in json.loads(SAMPLE.read_text()):
        absent = row["probe"].startswith(tuple(f"api.{service}." for service in services))
        answers[f"{row['probe']} {row['subject']}".strip()] = Status.MISSING if absent else json.dumps(row["stdout"])
    seen = look(api=answers)
    assert [f.id for f in seen.every if f.severity >= Severity.ERROR] == []
    assert seen.causes == []
