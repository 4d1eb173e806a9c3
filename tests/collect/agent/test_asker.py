"""Probes become commands, wherever their program is and whoever may run it, and each gets an answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.collect import frames
from stackdoctor.collect.agent.reading import without_comments
from stackdoctor.collect.plan import Plan
from stackdoctor.model import Each, Probe, Status

Ask = Callable[..., Any]
Program = Callable[[str, str], str]


def fails(word: str, status: int = 1) -> tuple[str, ...]:
    return ("sh", "-c", f"echo {word}; exit {status}")


def test_a_probe_is_asked_of_each_element_and_its_list_is_made_once(ask: Ask, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    each = Each(("sh", "-c", f"echo x >> {calls}; echo 'qdhcp-1 (id: 0)'; echo qrouter-2; echo qdhcp-1; echo --evil"))
    talk = ask(Probe("a", ("echo", "in", "{each}"), each=each), Probe("b", ("echo", "{each}{each}"), each=each))
    assert {s: r.stdout for s, r in talk.answers("a").items()} == {
        "qdhcp-1": b"in qdhcp-1\n",
        "qrouter-2": b"in qrouter-2\n",
    }
    assert talk.one("b", "qrouter-2").stdout == b"qrouter-2qrouter-2\n"
    assert talk.one("a", "qdhcp-1").command == "echo in qdhcp-1"
    assert calls.read_text() == "x\n"


def test_no_more_elements_than_the_limit_are_asked_about_and_the_others_are_told(ask: Ask) -> None:
    each = Each(("seq", "4"), r"(\d)", limit=2)
    talk = ask(Probe("a", ("echo", "{each}"), each=each))
    assert sorted((s, r.status, r.stdout) for s, r in talk.answers("a").items()) == [
        ("1", Status.RAN, b"1\n"),
        ("2", Status.RAN, b"2\n"),
        ("3", Status.NOT_RUN, b""),
        ("4", Status.NOT_RUN, b""),
    ]
    assert (talk.one("a", "3").command, talk.one("a", "3").reason) == ("echo 3", "only the first 2 are asked about")


def test_an_element_that_vanished_meanwhile_is_one_failure_among_answers(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("x")
    each = Each(("printf", "here\\ngone\\n"))
    talk = ask(Probe("a", ("cat", f"{tmp_path}/{{each}}"), each=each))
    assert talk.one("a", "here").stdout == b"x"
    assert (talk.one("a", "gone").status, talk.one("a", "gone").exit) == (Status.RAN, 1)


def test_an_empty_list_and_one_that_fails_are_answers(ask: Ask) -> None:
    talk = ask(
        Probe("empty", ("echo", "{each}"), each=Each(("true",))),
        Probe("fails", ("echo", "{each}"), each=Each(fails("no", 4))),
        Probe("absent", ("echo", "{each}"), each=Each(("no-such-program",))),
    )
    assert (talk.one("empty").exit, talk.one("empty").reason) == (0, "the list is empty")
    assert (talk.one("fails").exit, talk.one("fails").stdout) == (4, b"no\n")
    assert talk.one("absent").status is Status.MISSING


def test_elements_that_had_no_turn_are_told_as_not_run(ask: Ask) -> None:
    each = Each(("printf", "0\\n60\\n61\\n"))
    plan = Plan((Probe("a", ("sleep", "{each}"), each=each, timeout=50.0),), seconds=1.5, parallel=1)
    talk = ask(plan)
    assert {s: r.status for s, r in talk.answers("a").items()} == {
        "0": Status.RAN,
        "60": Status.TIMED_OUT,
        "61": Status.NOT_RUN,
    }
    assert talk.one("a", "61").reason == "the node's time was used up"


def test_an_older_form_answers_where_the_newer_one_fails(ask: Ask) -> None:
    talk = ask(Probe("a", fails("new"), otherwise=(fails("old"), ("echo", "oldest"), ("echo", "never"))))
    assert (talk.one("a").stdout, talk.one("a").command) == (b"oldest\n", "echo oldest")
    assert len(talk.results) == 1


@pytest.mark.parametrize("last", [fails("old", 7), ("no-such-program",)])
def test_where_all_forms_fail_the_first_ones_answer_counts(ask: Ask, last: tuple[str, ...]) -> None:
    result = ask(Probe("a", fails("new", 5), otherwise=(fails("mid", 6), last))).one("a")
    assert (result.status, result.exit, result.stdout) == (Status.RAN, 5, b"new\n")


def test_an_older_form_is_asked_where_the_newer_program_is_missing(ask: Ask) -> None:
    talk = ask(Probe("a", ("no-such-program", "-j"), otherwise=(("echo", "old"),)))
    assert talk.one("a").stdout == b"old\n"


def test_a_missing_program_is_missing(ask: Ask) -> None:
    result = ask(Probe("a", ("no-such-program", "x"), otherwise=(("nor-this",),))).one("a")
    assert (result.status, result.exit, result.command) == (Status.MISSING, None, "no-such-program x")
    assert result.reason == "no-such-program is not on this node"


def test_a_second_look_comes_later_under_its_own_subject(ask: Ask) -> None:
    talk = ask(Probe("a", ("date", "+%s.%N"), again_after=0.3))
    first, second = (talk.one("a", subject) for subject in ("", "#2"))
    assert second.started - first.started > 0.25
    assert second.stdout > first.stdout


def test_a_probes_variables_reach_its_command_and_no_other(ask: Ask) -> None:
    probe = Probe("a", ("sh", "-c", "echo $PROC_ROOT"), env=(("PROC_ROOT", "/p q"),))
    talk = ask(probe, Probe("b", ("sh", "-c", "echo $PROC_ROOT")))
    assert talk.one("a").stdout == b"/p q\n"
    assert talk.one("a").command == "env 'PROC_ROOT=/p q' sh -c 'echo $PROC_ROOT'"
    assert talk.one("b").stdout == b"\n"


def test_commands_get_the_letters_of_every_language_and_the_order_of_none(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANG", "LC_ALL", "LC_TIME", "LANGUAGE"):
        monkeypatch.setenv(name, "de_DE.UTF-8")
    printed = ask(Probe("a", ("env",))).one("a").stdout.decode().splitlines()
    assert [line for line in printed if line.startswith(("LANG", "LC_"))] == ["LC_CTYPE=C.UTF-8"]


def test_a_follower_runs_after_success_and_not_after_failure(ask: Ask) -> None:
    talk = ask(
        Probe("after-bad", ("echo", "x"), after="bad"),
        Probe("after-that", ("echo", "x"), after="after-bad"),
        Probe("bad", fails("no")),
        Probe("after-good", ("echo", "y"), after="good"),
        Probe("good", ("true",)),
        Probe("alone", ("echo", "z"), after="not-asked"),
    )
    assert [talk.one(name).stdout for name in ("after-good", "alone")] == [b"y\n", b"z\n"]
    assert (talk.one("after-bad").status, talk.one("after-bad").reason) == (Status.NOT_RUN, "bad did not succeed")
    assert talk.one("after-that").status is Status.NOT_RUN
    assert talk.done["left_out"] == []


def test_a_follower_of_what_is_missing_is_told_so_whatever_their_order(ask: Ask) -> None:
    first, after = Probe("first", ("no-such-program",)), Probe("after", ("echo", "x"), after="first")
    for probes in ((first, after), (after, first)):
        talk = ask(*probes)
        assert (talk.one("after").status, talk.one("after").reason) == (Status.NOT_RUN, "first did not succeed")
        assert talk.done["left_out"] == []


def test_a_file_system_that_does_not_answer_costs_its_own_files_only(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FIFO that nobody writes to stands for it: this agent takes FIFOs for files, and blocks on them."""
    kept = frames.source()
    gullible = kept.replace(b"if not stat.S_ISREG(os.stat(path).st_mode):", b"if False:").replace(
        b" | os.O_NONBLOCK", b""
    )
    assert gullible != kept
    monkeypatch.setattr(frames, "source", lambda modules: gullible)
    os.mkfifo(tmp_path / "stuck")
    (tmp_path / "before").write_text("x")
    talk = ask(
        Probe("stuck", files=(f"{tmp_path}/before", f"{tmp_path}/stuck"), timeout=0.5),
        Probe("command", ("echo", "y")),
        Probe("next", files=("/proc/uptime",)),
    )
    assert talk.one("stuck", f"{tmp_path}/before").stdout == b"x"
    stuck = talk.one("stuck", f"{tmp_path}/stuck")
    assert (stuck.status, stuck.reason) == (Status.TIMED_OUT, "its file system did not answer within 0.5 s")
    assert talk.one("command").stdout == b"y\n"
    assert talk.one("next", "/proc/uptime").status is Status.RAN


def test_files_are_regular_files_only(ask: Ask, tmp_path: Path) -> None:
    for name, content in (("a.conf", b"[DEFAULT]\n"), ("b.conf", b"\xff\0x")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "c.conf").mkdir()
    (tmp_path / "d.conf").symlink_to("nowhere")
    os.mkfifo(tmp_path / "e.conf")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "f.conf"))
        talk = ask(
            Probe("a", files=(f"{tmp_path}/*.conf", f"{tmp_path}/a.*")), Probe("b", files=(f"{tmp_path}/c.conf",))
        )
    assert {s: r.stdout for s, r in talk.answers("a").items()} == {
        f"{tmp_path}/a.conf": b"[DEFAULT]\n",
        f"{tmp_path}/b.conf": b"\xff\0x",
    }
    assert talk.one("b").status is Status.MISSING


def test_files_in_proc_have_no_size_and_are_read(ask: Ask) -> None:
    talk = ask(Probe("a", files=("/proc/uptime", "/proc/sys/fs/file-nr")))
    assert float(talk.one("a", "/proc/uptime").text.split()[0]) > 0
    assert len(talk.one("a", "/proc/sys/fs/file-nr").text.split()) == 3


def test_a_long_file_is_cut_and_a_missing_one_is_missing(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 5000)
    talk = ask(Probe("a", files=(f"{tmp_path}/long",), cap=4000), Probe("b", files=(f"{tmp_path}/none*", "/nowhere/x")))
    assert (talk.one("a", f"{tmp_path}/long").status, len(talk.one("a", f"{tmp_path}/long").stdout)) == (
        Status.TRUNCATED,
        4000,
    )
    assert (talk.one("b").status, talk.one("b").reason) == (Status.MISSING, "there is no such file")


def test_a_file_of_which_only_the_head_is_wanted_is_not_called_cut(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 5000)
    result = ask(Probe("a", files=(f"{tmp_path}/long",), cap=100, head=True)).one("a", f"{tmp_path}/long")
    assert (result.status, len(result.stdout), result.reason) == (Status.RAN, 100, "")


def test_a_name_that_is_not_utf8_travels_as_text(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).write_bytes(b"x")
    [(subject, result)] = ask(Probe("a", files=(f"{tmp_path}/caf*",))).answers("a").items()
    assert (subject, result.stdout) == (f"{tmp_path}/caf\ufffd", b"x")


def test_secrets_in_output_and_command_lines_stay_on_the_node(ask: Ask) -> None:
    talk = ask(Probe("a", ("sh", "-c", "echo password = hunter2; echo token=hunter2 >&2; : --password hunter2")))
    [frame] = [frame for frame in talk.frames if frame.header["kind"] == "result"]
    assert "hunter2" not in repr(frame)
    assert talk.one("a").stdout == b"password = <redacted>\n"


DOCKER = """echo "$(printf '%s|' "$@")" >> {calls}
case "$1" in
ps) printf 'fluentd\\nrabbitmq\\nrabbitmq_exporter\\n' ;;
exec) shift 2; exec "$@" ;;
esac
"""


def test_a_program_that_lives_in_a_container_is_run_there(ask: Ask, program: Program, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    path = program("docker", DOCKER.format(calls=calls).replace('exec "$@"', 'echo "inside: $*"'))
    probe = Probe("a", ("no-such-program", "list_queues", "a b"), container="^rabbitmq$")
    talk = ask(probe, Probe("b", ("no-such-program", "status"), container="^rabbitmq$"), path=path)
    if os.getuid() == 0:
        assert talk.one("a").command == "docker exec rabbitmq no-such-program list_queues 'a b'"
        assert talk.one("a").stdout == b"inside: no-such-program list_queues a b\n"
        assert sorted(calls.read_text().splitlines()) == [
            "exec|rabbitmq|no-such-program|list_queues|a b|",
            "exec|rabbitmq|no-such-program|status|",
            "ps|--format|{{.Names}}|",
        ]


@pytest.mark.skipif(os.getuid() != 0, reason="docker is asked as root, else through sudo")
@pytest.mark.parametrize(
    ("docker", "status", "reason"),
    [
        ("echo fluentd", Status.MISSING, "no-such-program is neither on this node nor in a container"),
        ("echo permission denied >&2; exit 1", Status.DENIED, "docker ps: permission denied"),
        ("echo Cannot connect to the Docker daemon >&2; exit 1", Status.MISSING, "docker ps: Cannot connect to"),
        (
            '[ "$1" = ps ] && echo rabbitmq || { echo exec: executable file not found in PATH >&2; exit 126; }',
            Status.MISSING,
            "it is not there",
        ),
        ('[ "$1" = ps ] && echo rabbitmq || exit 126', Status.DENIED, "it may not be run"),
    ],
)
def test_a_program_that_no_container_runs_is_told(
    ask: Ask, program: Program, docker: str, status: Status, reason: str
) -> None:
    path = program("docker", docker)
    result = ask(Probe("a", ("no-such-program",), container="rabbitmq"), path=path).one("a")
    assert result.status is status
    assert result.reason.startswith(reason)


def test_who_is_not_root_goes_through_sudo(ask: Ask, program: Program, nobody: list[str], public: Path) -> None:
    calls = public / "calls"
    calls.touch(0o666)
    calls.chmod(0o666)
    path = program("sudo", f'echo "$*" >> {calls}; shift; [ "$1" = -- ] && shift; exec "$@"')
    probes = (Probe("a", ("echo", "a"), root=True), Probe("b", ("echo", "b"), root=True), Probe("c", ("echo", "c")))
    talk = ask(*probes, path=path, wrap=nobody)
    assert talk.one("a").command == "sudo -n -- echo a"
    assert [talk.one(name).stdout for name in "abc"] == [b"a\n", b"b\n", b"c\n"]
    assert talk.one("c").command == "echo c"
    assert sorted(calls.read_text().splitlines()) == ["-n -- echo a", "-n -- echo b", "-n true"]


@pytest.mark.parametrize("words", ["a password is required", "sorry, you must have a tty to run sudo"])
def test_what_sudo_refuses_is_denied_in_its_words(ask: Ask, program: Program, nobody: list[str], words: str) -> None:
    path = program("sudo", f"echo 'sudo: {words}' >&2; exit 1")
    talk = ask(Probe("a", ("echo", "a"), root=True), Probe("b", ("echo", "b")), path=path, wrap=nobody)
    assert (talk.one("a").status, talk.one("a").exit) == (Status.DENIED, None)
    assert talk.one("a").reason == f"it needs root, and sudo says: sudo: {words}"
    assert talk.one("b").stdout == b"b\n"


@pytest.fixture
def private(public: Path) -> Path:
    """A folder that only its owner may search, with a file in it, and beside it a file that only its owner reads."""
    if os.getuid():
        pytest.skip("only root can make files that we may not read")
    folder = public / "private"
    folder.mkdir()
    (folder / "x.conf").write_text("x")
    folder.chmod(0o700)
    (public / "y.conf").write_text("y")
    (public / "y.conf").chmod(0o600)
    return public


def test_a_file_that_we_may_not_read_is_denied(ask: Ask, private: Path, nobody: list[str]) -> None:
    talk = ask(
        Probe("file", files=(f"{private}/y.conf",)),
        Probe("folder", files=(f"{private}/private/x.conf",)),
        Probe("glob", files=(f"{private}/private/*.conf",)),
        wrap=nobody,
    )
    for probe, subject in (("file", "y.conf"), ("folder", "private/x.conf"), ("glob", "private/*.conf")):
        result = talk.one(probe, f"{private}/{subject}")
        assert (result.status, result.reason) == (Status.DENIED, "Permission denied")


def test_a_file_that_only_root_reads_is_read_through_sudo(
    ask: Ask, program: Program, private: Path, nobody: list[str]
) -> None:
    path = program("sudo", 'shift; [ "$1" = -- ] && shift; case "$*" in *y.conf) echo y;; true) ;; *) exec "$@";; esac')
    talk = ask(
        Probe("y", files=(f"{private}/?.conf",), root=True),
        Probe("gone", files=(f"{private}/private/none.conf",), root=True),
        wrap=nobody,
        path=path,
    )
    assert talk.one("y", f"{private}/y.conf").stdout == b"y\n"
    assert talk.one("y", f"{private}/y.conf").command == f"sudo -n -- cat {private}/y.conf"
    assert talk.one("gone", f"{private}/private/none.conf").exit == 1


def test_the_agent_ends_as_soon_as_all_is_answered(ask: Ask) -> None:
    assert ask(Probe("a", files=("/proc/uptime",))).done["seconds"] < 10


def test_the_first_word_says_who_and_when(ask: Ask) -> None:
    hello = ask(Probe("a", ("true",))).frames[0].header
    assert hello["kind"] == "hello"
    assert (hello["version"], hello["hostname"], hello["uid"]) == (1, os.uname().nodename, os.getuid())


def test_comments_in_settings_come_as_empty_lines_so_that_numbers_of_lines_stay() -> None:
    content = b"# explains\n[DEFAULT]\n  ; and more\nhost = a # not a comment\n#transport_url = rabbit://\n"

    assert without_comments(content) == b"\n[DEFAULT]\n\nhost = a # not a comment\n\n"
