"""One log file: its window, its records, and what is counted in it."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackdoctor.collect.agent.logfile import LogFile, Signature
from stackdoctor.collect.agent.records import record_around

NOW = 1_800_000_000
TIMEOUT = {
    "id": "rpc-timeout",
    "services": ["nova-*"],
    "grep": "Timed out waiting for a reply",
    "regex": "Timed out waiting for a reply",
    "by": [],
    "also": [],
}
LIMITS = {"samples": 3, "keys_limit": 50}


def log_of(path: Path, *signatures: dict[str, Any], limits: dict[str, int] = LIMITS) -> LogFile:
    return LogFile(str(path), "nova-compute", "auto", [Signature({**TIMEOUT, **s}) for s in signatures], limits)


def stamp(second: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second)) + f".{int(second * 1000) % 1000:03}"


def written(path: Path, text: str | bytes, when: float = NOW) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(path, (when, when))
    return path


def scanned(log: LogFile, since: float) -> list[dict[str, Any]]:
    """What is found when every line of the window is looked at."""
    if log.open(since):
        content = Path(log.path).read_bytes()
        at = log.start
        for line in content[at:].split(b"\n"):
            if any(s.regex.search(line) for s in log.signatures):
                log.hit(at, line)
            at += len(line) + 1
    return list(log.hits())


LINES = st.lists(
    st.tuples(
        st.integers(0, 40),  # seconds since the line before
        st.sampled_from(["plain", "long", "trace", "blank", "binary"]),
    ),
    min_size=1,
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(LINES, st.integers(-10, 5000))
def test_the_window_begins_where_a_look_at_every_line_finds_it(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[int, str]], back: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "generated.log"
    second, content, expected, since = NOW - 2000, b"", None, NOW - back
    for step, kind in lines:
        second += step
        line = f"{stamp(second)} 7 INFO nova [-] x".encode()
        if kind == "long":
            line += b"y" * 20_000
        if kind in ("trace", "blank"):
            line = b"  2026-01-01 00:00:00 is no stamp here" if kind == "trace" else b""
        elif expected is None and second >= since:
            expected = len(content)
        if kind == "binary":
            line += b"\0\xff\xfe"
        content += line + b"\n"
    log = log_of(written(path, content, max(second, since)), {})
    log.open(since)
    assert log.start == (len(content) if expected is None else expected)


def test_a_line_of_ten_megabytes_hides_neither_what_is_before_nor_after_it(tmp_path: Path) -> None:
    line = f"{stamp(NOW - 500)} 7 INFO nova [-] ".encode() + b"x" * 10_000_000
    text = b"%s 7 ERROR nova [-] Timed out waiting for a reply\n"
    content = text % stamp(NOW - 900).encode() + line + b"\n" + text % stamp(NOW - 100).encode()
    path = written(tmp_path / "a.log", content)
    began = time.process_time()
    found = [scanned(log_of(path, {}), NOW - window) for window in (1000, 600, 200, 50)]
    assert [hits[0]["count"] if hits else 0 for hits in found] == [2, 1, 1, 0]
    assert time.process_time() - began < 5


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_a_file_without_times_is_told_as_unreadable(tmp_path: Path, size: int) -> None:
    log = log_of(written(tmp_path / "a.log", "no time here\n" * (size // 13 + 1)), {})
    assert not log.open(NOW - 100)
    assert log.status == "unreadable: none of its lines begins with a time"


def test_a_huge_file_without_times_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("wb") as file:
        file.truncate(1 << 31)
    log = log_of(path, {})
    assert not log.open(time.time() - 100)
    assert log.status == "unreadable: too few of its lines begin with a time"


@pytest.mark.parametrize(
    ("content", "when", "status"),
    [
        (f"{stamp(NOW - 5)} x\n", NOW - 1000, "out-of-window"),
        ("", NOW, "out-of-window"),
        (f"{stamp(NOW - 5000)} x\n", NOW, "read"),
    ],
)
def test_a_file_without_anything_in_the_window_is_not_opened_further(
    tmp_path: Path, content: str, when: float, status: str
) -> None:
    log = log_of(written(tmp_path / "a.log", content, when), {})
    assert not log.open(NOW - 100)
    assert (log.status, log.described()["bytes"]) == (status, 0)


def newton(second: float, pid: int = 879) -> str:
    head = f"{stamp(second)} {pid} ERROR oslo.service.loopingcall"
    return "\n".join(
        f"{head} {line}".rstrip()
        for line in (
            "[req-1] Fixed interval looping call failed: MessagingTimeout: Timed out waiting for a reply to message",
            "Traceback (most recent call last):",
            '  File "/usr/lib/python2.7/rpc.py", line 8, in call',
            "    return conductor.object_class_action_versions(topic='conductor')",
            "MessagingTimeout: Timed out waiting for a reply to message ID 5f0f",
            "",
        )
    )


def mitaka(second: float, pid: int = 879) -> str:
    first, *rest = newton(second, pid).split("\n")
    return "\n".join([first, *(line.replace(" ERROR ", " TRACE ") for line in rest)])


def bare(second: float, pid: int = 879) -> str:
    first, *rest = newton(second, pid).split("\n")
    return "\n".join([first, *(line[len(stamp(0)) + len(" 879 ERROR oslo.service.loopingcall ") :] for line in rest)])


@pytest.mark.parametrize("record", [newton, mitaka, bare])
def test_a_record_counts_once_and_its_sample_holds_the_traceback(tmp_path: Path, record: Any) -> None:
    other = f"{stamp(NOW - 41)} 879 INFO nova [-] before\nits own second line\n"
    text = other + record(NOW - 40) + "\n" + other.replace("before", "after") + record(NOW - 20.5) + "\n"
    keys = [{"regex": r"topic='(?P<topic>\w+)'", "keys": {"topic": "{topic}", "kind": "rpc", "none": "{nothing}"}}]
    [hit] = scanned(log_of(written(tmp_path / "a.log", text), {"also": keys}), NOW - 100)
    assert (hit["count"], hit["first"], hit["last"]) == (2, NOW - 40, NOW - 20.5)
    assert hit["keys"] == {"topic": "conductor", "kind": "rpc"}
    assert [sample["text"] for sample in hit["samples"]] == [record(NOW - 40).rstrip(), record(NOW - 20.5).rstrip()]
    assert [sample["line"] for sample in hit["samples"]] == [3, 11]
    assert text[hit["samples"][1]["offset"] :].startswith(record(NOW - 20.5))


@pytest.mark.parametrize("lines", range(75, 90))
def test_a_long_record_is_whole_wherever_its_lines_end(tmp_path: Path, lines: int) -> None:
    head = f"{stamp(NOW - 40)} 879 ERROR nova"
    record = "\n".join([f"{head} Timed out waiting for a reply", *(f"{head} {'x' * (50 + n)}" for n in range(lines))])
    text = f"{stamp(NOW - 41)} 879 INFO nova [-] a\n{record}\n{stamp(NOW - 39)} 879 INFO nova [-] b\n"
    log = log_of(written(tmp_path / "a.log", text), {})
    assert log.open(NOW - 100)
    assert record_around(log.stamps, log.file, text.index(record)) == (text.index(record), record.encode())


def test_two_processes_that_write_at_the_same_time_are_two_records(tmp_path: Path) -> None:
    mixed = [
        line
        for pair in zip(newton(NOW - 9).split("\n"), newton(NOW - 9, 880).split("\n"), strict=True)
        for line in pair
    ]
    [hit] = scanned(log_of(written(tmp_path / "a.log", "\n".join(mixed)), {}), NOW - 100)
    assert hit["count"] == 2


def test_values_of_named_groups_split_the_count_up_to_a_limit(tmp_path: Path) -> None:
    lines = [f"{stamp(NOW - 100 + n)} 7 WARNING nova [-] Timed out waiting for host-{n % 5}" for n in range(50)]
    by = {"regex": r"Timed out waiting for (?P<host>\S+)", "by": ["host", "no-such-group"]}
    path = written(tmp_path / "a.log", "\n".join(lines))
    hits = scanned(log_of(path, by), NOW - 1000)
    assert {hit["keys"]["host"]: hit["count"] for hit in hits} == {f"host-{n}": 10 for n in range(5)}
    few = scanned(log_of(path, by, limits={"samples": 1, "keys_limit": 2}), NOW - 1000)
    assert [(hit["keys"], hit["count"]) for hit in few] == [
        ({"host": "host-0"}, 10),
        ({"host": "host-1"}, 10),
        ({}, 30),
    ]


def test_lines_of_one_millisecond_that_name_different_things_are_all_counted(tmp_path: Path) -> None:
    lines = [f"{stamp(NOW - 9)} 7 WARNING nova [-] Timed out waiting for host-{n}" for n in "abc"]
    log = log_of(
        written(tmp_path / "a.log", "\n".join(lines)), {"regex": r"Timed out.* (?P<host>\S+)$", "by": ["host"]}
    )
    assert [hit["keys"]["host"] for hit in scanned(log, NOW - 100)] == ["host-a", "host-b", "host-c"]


def test_like_lines_within_one_second_of_a_syslog_are_records_of_their_own(tmp_path: Path) -> None:
    head = time.strftime("%b %d %H:%M:%S", time.localtime(NOW - 9)) + " node kernel: "
    lines = [f"{head}[{n}.5] connection{n}:0: detected conn error (1020)" for n in range(4)]
    log = log_of(written(tmp_path / "a.log", "\n".join(lines)), {"regex": "detected conn error"})
    [hit] = scanned(log, NOW - 100)
    assert hit["count"] == 4


def test_numbers_that_a_signature_looks_at_are_not_taken_for_each_other(tmp_path: Path) -> None:
    errors = (111, 104, 10054, 20054)
    lines = [f"{stamp(NOW - 9 + n)} 7 ERROR nova [-] [Errno {error}] lost" for n, error in enumerate(errors)]
    signatures = [{"id": str(error), "regex": rf"Errno {error}\]"} for error in (104, 10054)]
    hits = scanned(log_of(written(tmp_path / "a.log", "\n".join(lines)), *signatures), NOW - 100)
    assert [(hit["signature"], hit["count"]) for hit in hits] == [("104", 1), ("10054", 1)]


def test_minutes_are_counted_and_the_first_and_last_records_are_the_samples(tmp_path: Path) -> None:
    begin = NOW // 60 * 60 - 600
    lines = [f"{stamp(begin + 7 * n)} 7 ERROR nova [-] Timed out waiting for a reply {n}" for n in range(20)]
    [hit] = scanned(log_of(written(tmp_path / "a.log", "\n".join(lines)), {}), NOW - 3600)
    assert hit["minutes"] == {str(begin // 60): 9, str(begin // 60 + 1): 9, str(begin // 60 + 2): 2}
    assert [sample["text"][-2:].strip() for sample in hit["samples"]] == ["0", "1", "19"]


def test_a_secret_is_redacted_in_samples_and_keys_and_a_long_record_is_cut_in_its_middle(tmp_path: Path) -> None:
    head = f"{stamp(NOW - 9)} 7 ERROR nova [-]"
    text = f"{head} Timed out waiting for a reply\n{head} rabbit://nova:hunter2@192.0.2.1/ " + f"\n{head} ".join(
        ["y" * 99] * 200
    )
    log = log_of(
        written(tmp_path / "a.log", text),
        {"also": [{"regex": r"(?P<url>rabbit:\S+)", "keys": {"url": "{url}"}}]},
    )
    [hit] = scanned(log, NOW - 100)
    assert hit["keys"] == {"url": "rabbit://nova:<redacted>@192.0.2.1/"}
    [sample] = hit["samples"]
    assert "hunter2" not in sample["text"]
    assert "rabbit://nova:<redacted>@192.0.2.1/" in sample["text"]
    assert "\n[...]\n" in sample["text"]
    assert len(sample["text"]) <= 8192


def test_a_rotated_log_is_unpacked_and_a_broken_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "nova-compute.log.2.gz"
    packed = gzip.compress(f"{stamp(NOW - 900)} 7 INFO x\n{newton(NOW - 9)}".encode())
    log = log_of(written(path, packed), {})
    assert log.open(NOW - 100)
    log.hit(log.start, newton(NOW - 9).split("\n")[0].encode())
    [hit] = log.hits()
    assert hit["samples"][0]["text"] == newton(NOW - 9).rstrip()
    broken = bytearray(packed)
    broken[20] ^= 0xFF
    for content in (packed[:-20], bytes(broken), b"\x1f\x8b\x08garbage", b"nothing"):
        log = log_of(written(path, content), {})
        assert not log.open(NOW - 100)
        assert log.status.startswith("unreadable: ")


def test_of_a_rotated_log_that_is_large_unpacked_its_end_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stackdoctor.collect.agent.unpacked.KEPT", 1 << 17)
    text = "".join(f"{stamp(NOW - 4000 + n)} 7 ERROR nova [-] Timed out waiting for a reply\n" for n in range(4000))
    path = written(tmp_path / "a.log.1.gz", gzip.compress(text.encode()))
    log = log_of(path, {})
    assert log.open(NOW - 100)
    assert (log.status, log.start) == ("read", text.index(stamp(NOW - 100)))
    log = log_of(path, {})
    assert log.open(NOW - 3900)
    assert log.status == "unreadable: of all but its last 32 MiB"
    assert log.size == len(text)
