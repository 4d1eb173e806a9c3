"""All logs of a node at once, by its own grep."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.collect.agent.logscan import service_of
from stackdoctor.collect.plan import LogPattern, LogScan, LogSource, Plan

Scan = Callable[..., dict[str, Any]]
Program = Callable[[str, str], str]

TIMEOUT = LogPattern("rpc-timeout", ("nova-*",), "Timed out", r"Timed out waiting for (?P<what>\w+)", ("what",))
REFUSED = LogPattern("refused", ("*",), "Errno 111", r"\[Errno 111\]")


def line(ago: float, text: str) -> str:
    """A line of oslo.log, written some seconds ago."""
    second = time.time() - ago
    return (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        + f".{int(second * 1000) % 1000:03} 7 ERROR x [-] {text}\n"
    )


def counts(found: dict[str, Any]) -> dict[tuple[str, str], int]:
    return {(hit["signature"], Path(hit["path"]).name): hit["count"] for hit in found["hits"]}


def test_several_small_files_are_searched_together_and_their_hits_told_apart(scan: Scan, tmp_path: Path) -> None:
    for n, name in enumerate("abc"):
        (tmp_path / f"{name}.log").write_text(
            line(9000, "Timed out waiting for age") * 3
            + "".join(line(60 + i, f"Timed out waiting for {name}") for i in range(n + 1))[:-1]
        )
    found = scan([TIMEOUT, REFUSED], f"{tmp_path}/*.log")
    assert counts(found) == {("rpc-timeout", "a.log"): 1, ("rpc-timeout", "b.log"): 2, ("rpc-timeout", "c.log"): 3}
    assert found["grep"] == "gnu"
    for hit in found["hits"]:
        assert hit["keys"] == {"what": hit["path"][-5]}
        for sample in hit["samples"]:
            content = Path(hit["path"]).read_text()
            assert content[sample["offset"] :].split("\n")[0] == sample["text"]
            assert content[: sample["offset"]].count("\n") + 1 == sample["line"]
    assert [(file["status"], file["service"]) for file in found["files"]] == [("read", "nova-compute")] * 3


def test_in_a_big_file_the_sample_is_the_very_record(scan: Scan, tmp_path: Path) -> None:
    path = tmp_path / "big.log"
    trace = (
        "Timed out waiting for reply\nTraceback (most recent call last):\nMessagingTimeout: Timed out waiting for ID\n"
    )
    filler = line(1800, "nothing" + "." * 900)
    path.write_text(line(7200, "old") * 20 + filler * 9000 + line(60, trace) + filler.replace("nothing", "other") * 300)
    assert path.stat().st_size > 8 * 1024 * 1024
    found = scan([TIMEOUT], str(path))
    [hit] = found["hits"]
    [sample] = hit["samples"]
    with path.open("rb") as file:
        file.seek(sample["offset"])
        assert file.read(len(sample["text"])).decode() == sample["text"]
    assert sample["text"].endswith(
        "Timed out waiting for reply\nTraceback (most recent call last):\nMessagingTimeout: Timed out waiting for ID"
    )
    assert sample["line"] in (None, 9021)
    assert hit["count"] == 1
    assert found["files"][0]["bytes"] < path.stat().st_size


def test_rotated_files_belong_to_the_log_that_they_were(scan: Scan, tmp_path: Path) -> None:
    text = line(1000, "Timed out waiting for x")
    for name in ("nova-compute.log", "nova-compute.log.1", "nova-compute.log-20240101"):
        (tmp_path / name).write_text(text)
    (tmp_path / "nova-compute.log.2.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "nova-compute.log.3.gz").write_bytes(b"broken")
    (tmp_path / "nova-compute.log.4.xz").write_bytes(b"x")
    os.utime(tmp_path / "nova-compute.log.1", (0, 0))
    (tmp_path / "nova-conductor.log").symlink_to("nova-compute.log")
    found = scan([TIMEOUT], f"{tmp_path}/*.log", service="")
    assert counts(found) == {
        ("rpc-timeout", name): 1 for name in ("nova-compute.log", "nova-compute.log-20240101", "nova-compute.log.2.gz")
    }
    assert {file["service"] for file in found["files"]} == {"nova-compute"}
    statuses = {Path(file["path"]).name: file["status"] for file in found["files"]}
    assert len(statuses) == 6
    assert statuses["nova-compute.log.1"] == "out-of-window"
    assert statuses["nova-compute.log.3.gz"].startswith("unreadable: ")
    assert statuses["nova-compute.log.4.xz"] == "unreadable: in a format that is not unpacked here"


def test_bytes_that_are_no_text_hide_no_hit(scan: Scan, tmp_path: Path) -> None:
    head = line(60, "").encode().rstrip(b"\n")
    (tmp_path / "a.log").write_bytes(
        head
        + b"\0\0\xff\xfe Timed out waiting for nul\0\xff\n"
        + head.replace(b" 7 ", b" 8 ")
        + b"\xe9 Timed out waiting for caf\xe9\n"
    )
    wide = LogPattern("wide", ("*",), "X?Timed out .*caf.$", r"Timed out .*caf.$")
    found = scan([TIMEOUT, wide], f"{tmp_path}/a.log")
    assert [(hit["signature"], hit["keys"]) for hit in found["hits"]] == [
        ("rpc-timeout", {"what": "nul"}),
        ("rpc-timeout", {"what": "caf"}),
        ("wide", {}),
    ]


def test_a_line_of_ten_megabytes_is_looked_at_where_it_begins(scan: Scan, tmp_path: Path) -> None:
    text = line(60, "Timed out waiting for a" + "." * 10_000_000 + "Timed out waiting for z") + line(
        50, "Timed out waiting for b"
    )
    (tmp_path / "a.log").write_text(text)
    assert [hit["keys"]["what"] for hit in scan([TIMEOUT], f"{tmp_path}/a.log")["hits"]] == ["a", "b"]


def test_only_the_signatures_of_a_service_are_looked_for_in_its_log(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line(9, "Timed out waiting for x [Errno 111]"))
    assert set(counts(scan([TIMEOUT, REFUSED], f"{tmp_path}/a.log", service="cinder-volume"))) == {("refused", "a.log")}


def test_a_large_log_is_gone_through_for_its_own_signatures_and_the_small_ones_together(
    scan: Scan, program: Program, tmp_path: Path
) -> None:
    said = line(60, "Timed out waiting for x") + line(50, "[Errno 111]")
    for name, lines in (("nova-api", 300), ("nova-api.log.1", 300), ("cinder-api", 300), ("glance-api", 1)):
        (tmp_path / (name if ".log" in name else f"{name}.log")).write_text(line(90, "." * 3000) * lines + said)
    count = (
        f'[ "$1" = --version ] || {{ for f; do :; done; cat "$f" >{tmp_path}/$$; wc -l <{tmp_path}/$$ >>{tmp_path}/n;'
    )
    count += f" exec {shutil.which('grep')} -E -a -b -f {tmp_path}/$$; }}; echo GNU grep"
    found = scan([TIMEOUT, REFUSED], f"{tmp_path}/*.log", service="", path=program("grep", count))
    assert sorted(map(int, (tmp_path / "n").read_text().split())) == [1, 1, 2]
    refused = {("refused", f"{name}.log"): 1 for name in ("nova-api", "cinder-api", "glance-api")}
    refused["refused", "nova-api.log.1"] = 1
    assert counts(found) == {**refused, ("rpc-timeout", "nova-api.log"): 1, ("rpc-timeout", "nova-api.log.1"): 1}


def test_a_log_that_grows_meanwhile_is_read_to_its_new_end(
    start: Callable[..., Any], tmp_path: Path, program: Program
) -> None:
    path = tmp_path / "a.log"
    path.write_text(line(60, "Timed out waiting for x") + line(50, "." * 9_000_000))
    grow = f'[ "$1" = --version ] || cat {tmp_path}/more >> {path}; exec {shutil.which("grep")} "$@"'
    (tmp_path / "more").write_text(line(1, "Timed out waiting for y"))
    logs = LogScan(3600, (LogSource("nova-compute", "oslo", (str(path),)),), (TIMEOUT,))
    talk = start(Plan((), logs, seconds=30), path=program("grep", grow))
    talk.until(lambda: len(talk.frames) == 3)
    found = json.loads(talk.one("logs.hits").stdout)
    assert [(hit["keys"]["what"], hit["count"]) for hit in found["hits"]] == [("x", 1), ("y", 1)]
    assert found["files"][0]["status"] == "read"


@pytest.mark.parametrize("big", [False, True])
def test_without_gnu_grep_the_same_is_found(scan: Scan, program: Program, tmp_path: Path, big: bool) -> None:
    content = "".join(
        line(3000 - n, f"Timed out waiting for {'abc'[n % 3]} [Errno 111]\nTraceback\n  Timed out waiting for a")
        for n in range(400)
    )
    filler = line(2000, "." * 3000) * (900 if big else 0)
    (tmp_path / "a.log").write_text(line(9000, "[Errno 111]") + line(3100, "") + filler + content)
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(content.encode()))
    whole = scan([TIMEOUT, REFUSED], f"{tmp_path}/a.log")
    other = scan([TIMEOUT, REFUSED], f"{tmp_path}/a.log", path=program("grep", "echo BusyBox v1.36; exit 1"))
    assert (whole["grep"], other["grep"]) == ("gnu", "python")
    assert whole["hits"] == other["hits"]
    assert sum(hit["count"] for hit in whole["hits"] if hit["signature"] == "refused") == 800


def test_a_grep_that_fails_is_told_of_its_files(scan: Scan, program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line(9, "Timed out waiting for x"))
    path = program("grep", '[ "$1" = --version ] && { echo GNU grep; exit; }; echo Unmatched >&2; exit 2')
    assert scan([TIMEOUT], f"{tmp_path}/a.log", path=path)["files"][0]["status"] == "unreadable: grep: Unmatched"


def test_when_the_time_is_used_up_what_was_found_is_told_and_what_was_not_read(
    ask: Callable[..., Any], program: Program, tmp_path: Path
) -> None:
    (tmp_path / "a.log").write_text(line(9, "Timed out waiting for x"))
    logs = LogScan(3600, (LogSource("nova-compute", "oslo", (f"{tmp_path}/*.log",)),), (TIMEOUT,))
    grep = '[ "$1" = --version ] && { echo GNU grep; exit; }; echo "0:$(cat)"; sleep 60'
    talk = ask(Plan((), logs, seconds=2.5), path=program("grep", grep))
    result = talk.one("logs.hits")
    assert b'"what": "x"' in result.stdout
    assert b'"status": "unreadable: grep: the node\'s time was used up"' in result.stdout
    assert talk.done["left_out"] == []


def test_a_folder_that_may_not_be_listed_is_told_as_denied(
    scan: Scan, program: Program, nobody: list[str], public: Path
) -> None:
    if os.getuid():
        pytest.skip("only root can make folders that we may not list")
    path = program("sudo", "echo no >&2; exit 1")
    for name in ("open", "shut", "above/inner"):
        (public / name).mkdir(parents=True)
        (public / name / "a.log").write_text(line(9, "Timed out waiting for x"))
    for name in ("shut", "above"):
        (public / name).chmod(0o700)
    (public / "open" / "b.log").write_text("x")
    (public / "open" / "b.log").chmod(0o600)
    found = scan([TIMEOUT], f"{public}/*/*.log", f"{public}/above/inner/*.log", wrap=nobody, path=path)
    assert {file["path"][len(str(public)) + 1 :]: file["status"] for file in found["files"]} == {
        "above": "denied",
        "shut": "denied",
        "open/a.log": "read",
        "open/b.log": "denied",
    }


def test_who_is_not_root_scans_through_sudo_in_a_second_agent(
    ask: Callable[..., Any], program: Program, nobody: list[str], public: Path
) -> None:
    (public / "a.log").write_text(line(9, "Timed out waiting for x password=hunter2"))
    path = program("sudo", 'shift; [ "$1" = -- ] && shift; exec "$@"')
    logs = LogScan(3600, (LogSource("nova-compute", "oslo", (f"{public}/*.log",)),), (TIMEOUT,))
    result = ask(Plan((), logs, seconds=20), wrap=nobody, path=path).one("logs.hits")
    assert result.command.startswith("sudo -n -- grep")
    assert b'"what": "x"' in result.stdout
    assert b"hunter2" not in result.stdout


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/var/log/nova/nova-compute.log.1.gz", "nova-compute"),
        ("/var/log/openstack-nova-api.log-20240101", "nova-api"),
        ("/var/log/rabbitmq/rabbit@node-1.log.2", "rabbitmq-server"),
        ("/var/log/syslog.1", "syslog"),
    ],
)
def test_a_service_is_read_off_its_logs_name(path: str, service: str) -> None:
    assert service_of(path) == service
