"""Symptoms as data: what is refused, what an operator's words mean, and that every cause shows as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.symptom import causes_of, may_show_as, meant, parse_symptoms
from stackdoctor.errors import UsageError

WITHOUT_SYMPTOM: frozenset[str] = frozenset()
"""Causes that no operator sees by themselves: declared, each with its reason."""

MINE = """
- symptom: no-music
  title: the radio is silent
  words: [radio, music]
  shows: [log.my-radio-dead]
  next:
    - {do: "stackdoctor trace request {request}", why: "where the music stopped"}
"""
SIGNATURE = """
- id: my-radio-dead
  services: [radio]
  severity: warning
  regex: 'no music any more'
  message: 'the radio on {node} is silent'
  explain: It plays nothing.
  examples:
    zed: '2026-01-01 10:00:00.000 7 ERROR radio [-] no music any more'
"""
PLAYBOOK = """
cause: radio-unplugged
title: "the radio on {node} has no power"
severity: error
systems: [radio]
symptoms: [SYMPTOM]
why: Nobody plugged it in.
when:
  - log.my-radio-dead: {node: "{node}", weight: strong}
confirm: ["look at the plug"]
fix:
  - {do: "plug it in", risk: read-only}
"""


def third_party(folder: Path, symptom: str) -> Knowledge:
    (folder / "checks").mkdir()
    (folder / "checks" / "radio.yaml").write_text(SIGNATURE)
    (folder / "playbooks" / "symptoms").mkdir(parents=True)
    (folder / "playbooks" / "radio-unplugged.yaml").write_text(PLAYBOOK.replace("SYMPTOM", symptom))
    (folder / "playbooks" / "symptoms" / "mine.yaml").write_text(MINE)
    return load_knowledge((), (folder / "checks",), (folder / "playbooks",))


def test_every_shipped_cause_shows_as_a_symptom_or_is_a_declared_exception(knowledge: Knowledge) -> None:
    without = {p.cause for p in knowledge.playbooks if not p.symptoms}
    assert without == WITHOUT_SYMPTOM


def test_every_shipped_symptom_has_causes_and_words(knowledge: Knowledge) -> None:
    for symptom in knowledge.symptoms:
        assert causes_of(symptom, knowledge.playbooks), symptom.id
        assert len(symptom.words) >= 3, symptom.id


def test_what_a_symptom_shows_is_a_check_or_a_glob_over_some(knowledge: Knowledge) -> None:
    from fnmatch import fnmatchcase

    for symptom in knowledge.symptoms:
        for shown in symptom.shows:
            assert any(fnmatchcase(id_, shown.finding) for id_ in knowledge.known), (symptom.id, shown.finding)


def test_a_third_partys_playbook_may_show_as_a_shipped_symptom(tmp_path: Path) -> None:
    known = third_party(tmp_path, "console")
    console = next(s for s in known.symptoms if s.id == "console")
    assert "radio-unplugged" in {p.cause for p in causes_of(console, known.playbooks)}


def test_a_third_partys_symptom_comes_after_the_shipped_ones(tmp_path: Path) -> None:
    known = third_party(tmp_path, "no-music")
    assert [p.cause for p in causes_of(known.symptoms[-1], known.playbooks)] == ["radio-unplugged"]


def test_a_playbook_that_names_an_unknown_symptom_is_refused_with_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"radio-unplugged\.yaml: no symptom is called consol: did you mean console"):
        third_party(tmp_path, "consol")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "must be a list of symptoms"),
        ("- {symptom: a, title: b, words: [c]}", "shows is missing"),
        ("- {symptom: a, title: b, words: [c], shows: [d], wrds: [e]}", "did you mean words"),
        ("- {symptom: a, title: b, words: c, shows: [d]}", "words is not known in this form"),
        ("- {symptom: a, title: b, words: [c], shows: [d], instance: dead}", "instance is one of running, any"),
        ("- [", "mine.yaml"),
    ],
)
def test_a_broken_file_of_symptoms_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_symptoms(text, "mine.yaml")
    assert "mine.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("no-address", "no-address"),
        ("no-adress", "no-address"),
        ("the VM has no IP address from DHCP", "no-address"),
        ("MessagingTimeout in the logs", "messaging-timeout"),
        ("I get a 401 from keystone", "no-login"),
        ("No valid host was found", "instance-error"),
        ("volume is detaching for ever", "volume-stuck"),
    ],
)
def test_an_operators_words_mean_a_symptom(knowledge: Knowledge, said: str, first: str) -> None:
    assert meant(said, knowledge.symptoms)[0].id == first


def test_words_that_mean_nothing_mean_no_symptom(knowledge: Knowledge) -> None:
    assert meant("zzz", knowledge.symptoms) == ()


def test_a_cause_shows_as_a_symptom_only_where_its_terms_hold(knowledge: Knowledge) -> None:
    down = next(p for p in knowledge.playbooks if p.cause == "service-process-down")
    no_address = next(s for s in knowledge.symptoms if s.id == "no-address")
    assert may_show_as(no_address, down, {"service": "neutron-dhcp-agent", "node": "n"})
    assert not may_show_as(no_address, down, {"service": "cinder-volume", "node": "n"})
    assert not may_show_as(no_address, down, {"node": "n"})


def test_the_plan_of_one_signature_has_those_that_say_that_it_is_over() -> None:
    plan = load_knowledge(("log.rmq-alarm-set",)).plan(since=60, seconds=60)
    assert plan.logs is not None
    assert {p.id for p in plan.logs.patterns} == {"rmq-alarm-set", "rmq-alarm-cleared"}
