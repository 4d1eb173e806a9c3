"""YAML as data: what a wheel keeps of it is what the text says, and what it does not keep is parsed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.facts import parsed
from stackdoctor.facts.parsed import as_json, read_yaml

ROOT = Path(__file__).parents[2]
SHIPPED = [*(ROOT / "checks" / "logs").glob("*.yaml"), *(ROOT / "playbooks").rglob("*.yaml")]
TEXT = "- id: a\n  state: on\n- {id: b,\n   at: 7}\n"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a wheel would keep of TEXT, with a mark by which it can be told from what is parsed now."""
    (tmp_path / "a.yaml").write_text(TEXT)
    file = tmp_path / "parsed.json"
    file.write_text(as_json([tmp_path / "a.yaml"]).replace('"b"', '"kept"'))
    monkeypatch.setattr(parsed, "FILE", file)
    return file


def test_values_come_with_the_lines_that_they_stand_on() -> None:
    read = read_yaml(TEXT, "a.yaml")
    assert read.data == [{"id": "a", "state": "on"}, {"id": "b", "at": 7}]
    assert read.starts == [1, 3]
    assert read.fields == [{"id": 1, "state": 2}, {"id": 3, "at": 4}]


def test_a_text_that_the_wheel_keeps_is_taken_from_there(built: Path) -> None:
    read = read_yaml(TEXT, "a.yaml")
    assert read.data[1]["id"] == "kept"
    assert read.fields == [{"id": 1, "state": 2}, {"id": 3, "at": 4}]


def test_a_changed_text_is_parsed(built: Path) -> None:
    assert [entry["id"] for entry in read_yaml(TEXT + "- id: c", "a.yaml").data] == ["a", "b", "c"]


@pytest.mark.parametrize("content", ["", "{", "[]", "\0"])
def test_a_damaged_file_is_as_none(built: Path, content: str) -> None:
    built.with_name("damaged.json").write_text(content)
    assert dict(parsed._built(built.with_name("damaged.json"))) == {}


@pytest.mark.parametrize("text", ["since: 2026-01-01", "ports: {80: http}", "{true: a}", "~: a", "!!set {a, b}"])
def test_what_json_does_not_give_back_is_left_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "kept.yaml").write_text("ports: {'80': [1, 1.0, true, null, .nan]}")
    (tmp_path / "left.yaml").write_text(text)
    assert len(json.loads(as_json(tmp_path.glob("*.yaml")))) == 1


def test_everything_shipped_is_kept_as_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {file: file.read_text() for file in SHIPPED}
    now = {file: read_yaml(text, str(file)) for file, text in texts.items()}
    monkeypatch.setattr(parsed, "FILE", tmp_path / "parsed.json")
    parsed.FILE.write_text(as_json(SHIPPED))
    monkeypatch.setattr("stackdoctor.facts.plain_yaml.parse_yaml", None)
    assert {file: repr(read_yaml(text, str(file))) for file, text in texts.items()} == {
        file: repr(read) for file, read in now.items()
    }


def test_the_order_of_the_files_changes_nothing() -> None:
    assert as_json(SHIPPED) == as_json(reversed(SHIPPED))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: c: d", r"x\.yaml:2:5: is not YAML: mapping values are not allowed in this context"),
        ("- a\n- *b", r"x\.yaml:2:3: is not YAML: found undefined alias"),
        ("? [a]\n: b", r"x\.yaml:1:3: is not YAML: found unhashable key"),
        ("a: \1", r"x\.yaml: is not YAML: unacceptable character"),
        ("a: 2026-13-45", r"x\.yaml: is not YAML: month must be in 1\.\.12"),
        ("a: !!bool b", r"x\.yaml: is not YAML: "),
        ("a: !!timestamp b", r"x\.yaml: is not YAML: "),
        ("a: \ud800", r"x\.yaml: is not YAML: "),
        ("a: 1\nb: 2\na: 3", r"x\.yaml:3: the field a is there twice"),
        ("- {a: 1}\n- a: 1\n  a: 2", r"x\.yaml:3: the field a is there twice"),
    ],
)
def test_what_is_no_yaml_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_yaml(text, "x.yaml")
