"""What goes wrong on the way to a node, on it and here: each costs its own part, and is said in a sentence.

Silent and babbling servers, refused logins and resets are in test_ssh.py; what commands do to the agent in agent/.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.collect import frames
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.run import Event, NodeDone, ProbeDone, collect
from stackdoctor.demo.server import serve
from stackdoctor.errors import UsageError
from stackdoctor.model import Clock, Node, NodeResults, Probe, Result, Status
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.snapshot.write import write_snapshot

_SPEC = importlib.util.spec_from_file_location("real_sshd", Path(__file__).parent / "test_sshd.py")
assert _SPEC is not None
assert _SPEC.loader is not None
real_sshd = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(real_sshd)
running, options, ECHO, PLAN = real_sshd.running, real_sshd.options, real_sshd.ECHO, real_sshd.PLAN

SESSION = 'exec sh -c "$SSH_ORIGINAL_COMMAND"'


def forced(script: str) -> str:
    """The sshd setting that has a script begin each session; it is one line without double quotes of its own."""
    return f"ForceCommand {script}"


def test_a_port_that_drops_what_comes_costs_its_time_only(tmp_path: Path) -> None:
    """The kernel drops a SYN to a full backlog, as a filter does."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        node = Node("node", "127.0.0.1", full.getsockname()[1], "root", jump="none")
        [found] = collect([node], PLAN, replace(options(tmp_path), timeout=1.0))
    assert found.failure == f"no answer from 127.0.0.1 port {node.port} within 1 s"
    assert found.results == {}


def test_an_sshd_that_opens_no_session_is_named(tmp_path: Path) -> None:
    with running(tmp_path, "MaxSessions 0") as node:
        [found] = collect([node], PLAN, options(tmp_path))
    assert "opens no session" in found.failure


@pytest.mark.parametrize(
    "before",
    [
        "echo Authorized users only; echo; ",
        "echo to-stderr >&2; ",
        "set -e; ",
        "set -u; set -f; ",
        "head -c 200000 /dev/zero; ",
        "trap '' TERM HUP; ",
        "ulimit -c 0; umask 777; cd /nonexistent 2>/dev/null; ",
    ],
)
def test_what_a_login_shell_does_first_is_no_matter(tmp_path: Path, before: str) -> None:
    with running(tmp_path, forced(before + SESSION)) as node:
        [found] = collect([node], PLAN, options(tmp_path))
    real_sshd.check(found)


def test_a_terminal_that_is_asked_for_is_not_there_and_not_needed(tmp_path: Path) -> None:
    with running(tmp_path, "PermitTTY no") as node:
        [found] = collect([node], PLAN, options(tmp_path))
    real_sshd.check(found)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo ImportError: no module named site >&2; exit 1", "ImportError: no module named site; exit status 1"),
        ("kill -SEGV $$", "the agent ended too early"),
        ("exec sleep 60", "said nothing of use within 3 s"),
        ("echo SD1 nopython", "no python3 (3.6 or later)"),
    ],
)
def test_a_python_that_is_broken_is_quoted(tmp_path: Path, script: str, said: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / "python3").chmod(0o755)
    with running(tmp_path, forced(f"PATH={tmp_path}/bin:$PATH; {SESSION}")) as node:
        [found] = collect([node], PLAN, replace(options(tmp_path), timeout=3.0))
    assert said in found.failure


def test_a_flood_of_a_gigabyte_is_cut_and_the_rest_is_answered(tmp_path: Path) -> None:
    flood = Probe("flood", ("head", "-c", "1073741824", "/dev/zero"), cap=100_000)
    with running(tmp_path) as node:
        [found] = collect([node], Plan((flood, ECHO), seconds=60.0), options(tmp_path))
    assert found.failure == ""
    assert (found.results["flood", ""].status, len(found.results["flood", ""].stdout)) == (Status.TRUNCATED, 100_000)
    assert found.one(ECHO).exit == 0


def test_an_agent_that_is_killed_leaves_what_it_had_answered(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    kill = Probe("kill", ("sh", "-c", f"cat {tmp_path}/go; kill -KILL $PPID; exec sleep 60"), timeout=50.0)

    def go(event: Event) -> None:
        if isinstance(event, ProbeDone) and event.probe == "echo":
            (tmp_path / "go").write_text("")

    with running(tmp_path) as node:
        [found] = collect([node], Plan((ECHO, kill), seconds=50.0), options(tmp_path), go)
    assert found.one(ECHO).exit == 0
    assert "after 1 of 2 probes" in found.failure
    assert found.results["kill", ""].status is Status.NOT_RUN
    assert found.cost is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
@pytest.mark.parametrize(
    "trouble",
    [
        "mount -t tmpfs -o size=4k t /tmp; head -c 9999 /dev/zero > /tmp/x 2>/dev/null; export TMPDIR=/tmp HOME=/tmp",
        "mount -o bind,ro / / && mount -o remount,bind,ro /",
        "export HOME=/nonexistent TMPDIR=/nonexistent",
    ],
    ids=["full", "read-only", "homeless"],
)
def test_a_node_on_which_nothing_can_be_written_is_looked_at_as_any_other(tmp_path: Path, trouble: str) -> None:
    if "mount" in trouble and subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("no mount namespaces")
    script = tmp_path / "session"
    script.write_text(f"#!/bin/sh\n{trouble}\n{SESSION}\n")
    script.chmod(0o755)
    enter = "unshare -m " if "mount" in trouble else ""
    with running(tmp_path, forced(f"exec {enter}{script}")) as node:
        [found] = collect([node], PLAN, options(tmp_path))
    real_sshd.check(found)


def test_a_clock_that_is_three_hours_off_is_measured_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = frames.source().replace(b"    now = time.time()\n    here", b"    now = time.time() + 10800\n    here")
    assert b"10800" in source
    monkeypatch.setattr(frames, "source", lambda modules: source)
    with running(tmp_path) as node:
        [found] = collect([node], PLAN, options(tmp_path))
    assert found.failure == ""
    assert found.clock is not None
    assert abs(found.clock.offset - 10800) <= found.clock.error


@contextlib.contextmanager
def relay(to: int, cut: threading.Event, *, reset: bool = False) -> Iterator[int]:
    """A port that passes everything on to another until ``cut``, and from then on nothing, without a word.

    With ``reset`` it says that it knows of no such connection, as the kernel does that has booted again.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:

        def serve_one() -> None:
            ours = stack.enter_context(listener.accept()[0])
            theirs = stack.enter_context(socket.create_connection(("127.0.0.1", to)))
            while not cut.is_set():
                for ready in select.select([ours, theirs], [], [], 0.05)[0]:
                    data = ready.recv(65536)
                    if cut.is_set() or not data:
                        break
                    (theirs if ready is ours else ours).sendall(data)
            if reset:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                ours.close()

        thread = threading.Thread(target=serve_one)
        thread.start()
        yield listener.getsockname()[1]
        cut.set()
        thread.join()


def test_a_node_that_goes_without_a_word_costs_its_time_and_keeps_what_it_had_said(tmp_path: Path) -> None:
    """As one does that is reset, or whose network is gone."""
    cut = threading.Event()
    hang = Probe("hang", ("sleep", "60"), timeout=50.0)
    with running(tmp_path) as node, relay(node.port, cut) as port:
        known = (tmp_path / "known_hosts").read_text().replace(f"]:{node.port} ", f"]:{port} ")
        (tmp_path / "known_hosts").write_text(known)
        [found] = collect(
            [replace(node, port=port)],
            Plan((ECHO, hang), seconds=2.0),
            replace(options(tmp_path), timeout=8.0),
            lambda event: cut.set() if isinstance(event, ProbeDone) else None,
        )
    assert found.one(ECHO).exit == 0
    assert found.results["hang", ""].status is Status.NOT_RUN
    assert "(after 1 of 2 probes)" in found.failure


def test_a_node_that_reboots_midway_is_called_lost_and_keeps_what_it_had_said(tmp_path: Path) -> None:
    """Its agent, command and sshd are killed at once, and what still comes is answered with a reset."""
    pids, cut = tmp_path / "pids", threading.Event()
    os.mkfifo(tmp_path / "go")
    hang = Probe("hang", ("sh", "-c", f"echo $$ $PPID > {pids}; echo > {tmp_path}/go; exec tail -f /dev/null"))
    begun = Probe("begun", ("cat", f"{tmp_path}/go"))

    def reboot(event: Event) -> None:
        if isinstance(event, ProbeDone):
            command, agent = map(int, pids.read_text().split())
            cut.set()
            for pid in (parent(agent), agent, command):
                # without its sshd an agent ends by itself, and its commands with it
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def parent(pid: int) -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

    with running(tmp_path) as node, relay(node.port, cut, reset=True) as port:
        known = (tmp_path / "known_hosts").read_text().replace(f"]:{node.port} ", f"]:{port} ")
        (tmp_path / "known_hosts").write_text(known)
        began = time.monotonic()
        [found] = collect([replace(node, port=port)], Plan((hang, begun), seconds=60.0), options(tmp_path), reboot)
        took = time.monotonic() - began
    assert took < 20.0, "it is lost at once, not when its time is up"
    assert found.failure.startswith(f"the connection to 127.0.0.1 port {port} was lost")
    assert found.failure.endswith("(after 1 of 2 probes)")
    assert found.one(begun).exit == 0
    assert found.results["hang", ""].status is Status.NOT_RUN


@pytest.mark.skipif(os.getuid() != 0, reason="only root may filter")
def test_a_port_that_is_filtered_without_a_word_costs_its_time_only(tmp_path: Path) -> None:
    """The kernel's own filter drops what comes: in a network namespace, which goes with the process."""
    look = (
        "import sys, json; from stackdoctor.collect.run import Options, collect;"
        "from stackdoctor.collect.plan import Plan; from stackdoctor.model import Node;"
        "[r] = collect([Node('n', '127.0.0.1', 22, 'root', jump='none')], Plan(()), Options(timeout=1.0));"
        "print(json.dumps([r.failure, len(r.results)]))"
    )
    script = 'ip link set lo up && iptables -A INPUT -p tcp --dport 22 -j DROP && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", script, sys.executable, look], capture_output=True, text=True, check=False
    )
    if done.returncode and "iptables" in done.stderr + done.stdout:
        pytest.skip(f"no filter here: {done.stderr}")
    assert done.stdout.strip() == '["no answer from 127.0.0.1 port 22 within 1 s", 0]', done.stderr


def python2(folder: Path) -> None:
    """A python that is 2.7, found as `python` and as `python2`, and no python3; the real one where this host has it."""
    real = next((path for path in map(shutil.which, PYTHON2) if path and not old_fails(path)), None)
    complaint = '  File "<string>", line 1\n    print(0)\nSyntaxError: invalid syntax'
    for name in ("python", "python2", "python2.7"):
        if real:
            (folder / name).symlink_to(real)
        else:
            (folder / name).write_text(f"#!/bin/sh\nprintf '{complaint}\\n' >&2\nexit 1\n")
            (folder / name).chmod(0o755)


PYTHON2 = ("python2.7", "python2", os.path.expanduser("~/.pyenv/versions/2.7.18/bin/python2.7"))


def old_fails(path: str) -> int:
    return subprocess.run([path, "-c", "print 1"], check=False, capture_output=True).returncode


@pytest.mark.parametrize("as_python3", [False, True], ids=["no python3", "python3 is 2.7"])
def test_a_node_with_python_2_only_answers_plain_commands_over_sh(tmp_path: Path, as_python3: bool) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "uname", "date", "id", "printf", "env", "timeout"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    python2(programs)
    if as_python3:
        (programs / "python3").symlink_to(programs / "python2")
    plan = Plan((ECHO, Probe("files", files=("/etc/hostname",))), seconds=20.0)
    with running(tmp_path, forced(f"PATH={programs}; export PATH; {SESSION}")) as node:
        [results] = collect([node], plan, options(tmp_path))
    assert results.one(ECHO).stdout == b"a b'\"$HOME\n"
    assert results.results["files", ""].status is Status.NOT_RUN
    assert "no python3" in results.failure


def test_one_slow_node_of_fifty_holds_up_none_of_the_others() -> None:
    uptime = Probe("uptime", ("cat", "/proc/uptime"))

    def recorded(name: str) -> NodeResults:
        return NodeResults(Node(name), {("uptime", ""): Result("uptime", "cat", stdout=b"1")}, Clock(1000.0), name)

    done: list[str] = []
    with serve([recorded(f"n{n}") for n in range(49)]) as cloud, socket.create_server(("127.0.0.1", 0)) as silent:
        slow = Node("slow", "127.0.0.1", silent.getsockname()[1], jump="none")
        wanted = replace(options(Path("/nonexistent")), known_hosts=cloud.known_hosts, timeout=60.0, parallel=50)

        def on_event(event: Event) -> None:
            if isinstance(event, NodeDone):
                done.append(event.node.name)
                if len(done) == 49:
                    silent.shutdown(socket.SHUT_RDWR)
                    silent.close()  # nobody need wait for its minute

        found = collect([slow, *cloud.nodes], Plan((uptime,), seconds=60.0), wanted, on_event)
    assert done[-1] == "slow"
    assert [bool(r.failure) for r in found] == [True] + [False] * 49


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("name", ["snap", "snap.tar.gz"])
def test_a_snapshot_that_does_not_fit_is_said_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    big = Result("big", "big", stdout=os.urandom(300_000))
    snapshot = Snapshot((NodeResults(Node("n"), {("big", ""): big}, Clock(1.0), "n"),), 1.0, 1.0, "test")
    mount = tmp_path / "full"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "t", mount], check=False).returncode:
        pytest.skip("no mounts here")
    try:
        with pytest.raises(UsageError, match=r"could not be written to .*: No space left on device"):
            write_snapshot(snapshot, mount / name)
        assert list(mount.iterdir()) == []
    finally:
        subprocess.run(["umount", mount], check=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda n: n.name)
def test_however_the_tool_ends_nothing_goes_on_on_the_node(tmp_path: Path, number: signal.Signals) -> None:
    """The whole tool, asked for all it can; what a slow program of the node's holds up is there when the tool ends."""
    pids, programs = tmp_path / "pids", tmp_path / "bin"
    programs.mkdir()
    os.mkfifo(tmp_path / "go")
    (programs / "uname").write_text(
        f"#!/bin/sh\n[ -e {pids} ] && exit 1\necho $$ $PPID > {pids}\necho > {tmp_path}/go\nexec tail -f /dev/null\n"
    )
    (programs / "uname").chmod(0o755)
    kept = tmp_path / "kept.tar.gz"
    with running(tmp_path, forced(f"PATH={programs}:$PATH; {SESSION}")) as node:
        (tmp_path / "cloud.yaml").write_text(
            f"known_hosts: {tmp_path}/known_hosts\nnodes:\n"
            f"  - {{name: n, address: 127.0.0.1, port: {node.port}, user: {node.user}, key: {node.key}}}\n"
        )
        look = [sys.executable, "-m", "stackdoctor", "collect", "-i", "cloud.yaml", "-o", str(kept)]
        process = subprocess.Popen(look, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        (tmp_path / "go").read_text()
        handles = [os.pidfd_open(int(pid)) for pid in pids.read_text().split()]
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        real_sshd.all_end(handles)
    if number is signal.SIGKILL:
        assert not kept.exists()
        assert not list(tmp_path.glob(".kept*"))
        return
    assert process.returncode == 130, said
    assert "Traceback" not in said
    if kept.exists():
        partial = read_snapshot(kept)
        assert not partial.complete
        assert "interrupted" in partial.nodes[0].failure
    else:
        assert "nothing is kept" in said
