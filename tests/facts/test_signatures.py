"""Log signatures are loaded strictly: what is wrong is said with its file and line."""

import re
from pathlib import Path

import pytest

from stackdoctor.errors import UsageError
from stackdoctor.facts.signatures import Signature, load_signatures, to_pattern
from stackdoctor.model import Severity

GOOD = r"""
- id: broker-gone
  services: [nova-*, cinder-*]
  severity: warning
  regex: 'broker (?P<old>\S+) or (?P<new>\S+) is gone'
  by: [old, new]
  keys: {broker: '{old}{new}'}
  also:
    - {regex: 'rpcapi\.py', keys: {topic: conductor}}
    - {regex: 'pid (?P<number>\d+)', keys: {pid: '{number}'}}
  recovered_by: [broker-back]
  benign:
    - A note.
    - {when: {topic: con.*}, at_most: 3, why: It happens.}
  message: '{service} on {node} lost {broker}[ ({topic}, {pid})][ ({topic})]'
  explain: It is gone.
  examples:
    zed: {text: 'the broker a or b is gone in rpcapi.py', keys: {broker: ab, topic: conductor}}
    train: |
      broker a or b is gone
      with pid 7
- id: broker-back
  services: [nova-*]
  severity: info
  finding: false
  regex: 'broker is back'
  message: 'it is back'
  explain: It is back.
  examples: {zed: 'the broker is back'}
"""


def load(tmp_path: Path, text: str = GOOD) -> dict[str, Signature]:
    file = tmp_path / "signatures.yaml"
    file.write_text(text)
    return {signature.id: signature for signature in load_signatures([file])}


def test_a_signature_is_loaded_with_all_its_fields(tmp_path: Path) -> None:
    gone = load(tmp_path)["broker-gone"]
    assert gone.finding_id == "log.broker-gone"
    assert gone.severity is Severity.WARNING
    assert gone.services == ("nova-*", "cinder-*")
    assert gone.recovered_by == ("broker-back",)
    assert gone.source.endswith("signatures.yaml:2")
    assert [example.era for example in gone.examples] == ["zed", "train"]
    assert gone.finding
    assert not load(tmp_path)["broker-back"].finding


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    load(tmp_path)
    assert [signature.id for signature in load_signatures([tmp_path])] == ["broker-gone", "broker-back"]


def test_a_record_gives_the_groups_and_the_keys_of_the_first_also_that_fits(tmp_path: Path) -> None:
    gone = load(tmp_path)["broker-gone"]
    read = gone.match("x\nbroker a or b is gone\n  File rpcapi.py, pid 7")
    assert read == {"old": "a", "new": "b", "topic": "conductor"}
    assert gone.match("broker a or b is gone\nwith pid 7") == {"old": "a", "new": "b", "pid": "7"}
    assert gone.match("all is well") is None


def test_keys_of_the_finding_are_renamed(tmp_path: Path) -> None:
    gone = load(tmp_path)["broker-gone"]
    assert gone.finding_keys({"old": "a", "pid": "7"}) == {"broker": "a", "pid": "7"}
    assert gone.finding_keys({}) == {}


def test_the_message_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    gone = load(tmp_path)["broker-gone"]
    assert gone.says("n1", "nova-api", 3, {"old": "a"}) == "nova-api on n1 lost a"
    assert gone.says("n1", "nova-api", 3, {"old": "a", "topic": "x"}) == "nova-api on n1 lost a (x)"
    assert gone.says("n1", "nova-api", 3, {"topic": "{node}"}) == "nova-api on n1 lost unknown ({node})"


def test_it_is_harmless_when_keys_and_count_fit(tmp_path: Path) -> None:
    gone = load(tmp_path)["broker-gone"]
    assert gone.harmless("nova-api", 3, {"topic": "conductor"}) == "It happens."
    assert not gone.harmless("nova-api", 4, {"topic": "conductor"})
    assert not gone.harmless("nova-api", 1, {"topic": "compute"})
    assert not load(tmp_path)["broker-back"].harmless("nova-api", 1, {})


def test_the_node_gets_the_translated_expression(tmp_path: Path) -> None:
    pattern = to_pattern(load(tmp_path)["broker-gone"])
    assert pattern.grep == "broker ([^[:space:]]+) or ([^[:space:]]+) is gone"
    assert pattern.by == ("old", "new")
    assert pattern.also[0] == (r"rpcapi\.py", (("topic", "conductor"),))


@pytest.mark.parametrize("flags", ["", "(?i)", "(?ai)"])
def test_the_node_matches_as_python_does_here(tmp_path: Path, flags: str) -> None:
    text = GOOD.replace("regex: 'broker is back'", rf"regex: '{flags}broker is back \w*'")
    regex = to_pattern(load(tmp_path, text.replace("the broker is back", "the broker is back x"))["broker-back"]).regex
    assert re.compile(regex).flags & re.ASCII
    assert re.search(regex.encode(), b"broker is back x")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("- id: broker-gone", "id: broker-gone", 3, "is not YAML"),
        (GOOD, "id: x", 1, "must be a list of signatures"),
        (GOOD, "- x", 1, "must be a mapping"),
        ("  severity: warning", "  severity: bad", 4, "'bad' is none of info, warning, error, critical"),
        ("  severity: warning", "  severty: warning", 4, r"severty: no such field \(did you mean severity\?\)"),
        ("  severity: warning\n", "", 2, "the field severity is missing"),
        ("  services: [nova-*, cinder-*]", "  services: nova-*", 3, "services: must be a list"),
        ("  services: [nova-*, cinder-*]", "  services: [1]", 3, "services: must be a list of texts"),
        ("id: broker-gone", "id: Broker_Gone", 2, "lower case words"),
        ("id: broker-back", "id: broker-gone", 22, "already defined in .*:2"),
        ("is gone'", "is (gone'", 5, "does not compile"),
        ("is gone'", "is (?:g+o*)+ne'", 5, "repeats a repeat"),
        ("broker (?P<old>", "bröker (?P<old>", 5, "must be ASCII"),
        ("'broker is back'", "'a*'", 26, "would match every line"),
        ("by: [old, new]", "by: [old, nwe]", 6, r"nwe is not a named group of regex \(did you mean new\?\)"),
        ("'{old}{new}'", "'{od}'", 7, r"\{od\} is not known \(did you mean old\?\)"),
        ("keys: {broker:", "keys: {count:", 7, "count: every finding has that of its own"),
        ("keys: {topic: conductor}", "key: {topic: conductor}", 8, "also: must be a list of"),
        ("pid: '{number}'", "pid: '{no}'", 8, r"also: \{no\} is not known"),
        ("[broker-back]", "[broker-bak]", 2, r"no signature is called broker-bak \(did you mean broker-back\?\)"),
        ("at_most: 3", "at_least: 3", 12, "benign: must be a list of"),
        ("when: {topic: con.*}", "when: {host: con.*}", 12, r"benign: \{host\} is not known"),
        ("lost {broker}[", "lost {brokr}[", 15, r"\{brokr\} is not known \(did you mean broker\?\)"),
        ("broker: ab, topic", "broker: xy, topic", 17, "zed: gives .*, not"),
        ("the broker is back", "all is well", 29, "examples: zed: no line of it matches regex"),
        ("examples: {zed: 'the broker is back'}", "examples: {zed: 7}", 29, "examples: zed: must be a text"),
        ("  finding: false", "  severity: info", 25, "the field severity is there twice"),
        ("  finding: false", "  finding: 1", 25, "finding: must be true or false"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError, match=said) as raised:
        load(tmp_path, GOOD.replace(old, new))
    assert re.match(rf".*signatures\.yaml:{line}(:\d+)?: ", str(raised.value)), raised.value


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml: cannot be read: No such file"):
        load_signatures([tmp_path / "none.yaml"])


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"binary\.yaml: is not UTF-8"):
        load_signatures([tmp_path])


def test_an_empty_file_has_no_signatures(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing yet\n") == {}
