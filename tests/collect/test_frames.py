"""A byte stream becomes the frames that an agent sent, or a failure that says what came instead."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.collect import frames
from stackdoctor.collect.frames import (
    NOISE_LIMIT,
    PAYLOAD_LIMIT,
    Frame,
    FrameError,
    FrameReader,
    NoPython,
    bootstrap,
    encode,
    opening,
    to_result,
)
from stackdoctor.collect.plan import Plan
from stackdoctor.model import Result, Status

FRAME = encode({"kind": "result", "probe": "a"}, b"out", b"err")
RESULT: dict[str, object] = {
    "probe": "a",
    "subject": "s",
    "command": "c",
    "status": "timed-out",
    "exit": None,
    "started": 1.5,
    "seconds": 2,
    "reason": "r",
}


def read(*pieces: bytes) -> list[Frame]:
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)]


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(max_size=3), st.text(max_size=3)), st.binary(max_size=9), st.binary(max_size=9)
        )
    ),
    st.sampled_from([b"", b"Welcome\r\n", b"SD1", b"SD1 \nSD1 0000001", b"\xff\0SD1 zzzzzzzz\n"]),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_however_the_stream_is_split_the_frames_are_those_that_were_sent(
    sent: list[tuple[dict[str, str], bytes, bytes]], noise: bytes, cuts: list[int]
) -> None:
    sent = [({k: v for k, v in header.items() if k not in ("out", "err")}, out, err) for header, out, err in sent]
    stream = noise + b"".join(encode(*message) for message in sent)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    frames = read(*(stream[a:b] for a, b in pairwise(places)))
    assert [(frame.out, frame.err) for frame in frames] == [(out, err) for _, out, err in sent]
    for frame, (header, out, err) in zip(frames, sent, strict=True):
        assert frame.header == {**header, "out": len(out), "err": len(err)}


@pytest.mark.parametrize("step", [1 << 30, 65_521])
def test_noise_is_skipped_up_to_its_limit_and_no_further(step: int) -> None:
    for noise, fits in ((b"\n" * NOISE_LIMIT, True), (b"\n" * (NOISE_LIMIT + 1), False)):
        stream = noise + FRAME
        pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
        if fits:
            assert len(read(*pieces)) == 1
        else:
            with pytest.raises(FrameError, match="more than 256 KiB before the agent begins"):
                read(*pieces)


def test_noise_without_end_is_given_up() -> None:
    with pytest.raises(FrameError, match="before the agent begins"):
        read(*[b"y\n" * 2048] * (NOISE_LIMIT // 4096 + 2))


@pytest.mark.parametrize(
    "garbage", [b"Killed\n", b"SD2 00000001\n", b"\n", b"SD1 0000000g\nx", b"SD1 nopython\n", b"SD1 -0000001\n"]
)
def test_garbage_after_a_frame_is_refused_once_it_cannot_be_one(garbage: bytes) -> None:
    reader = FrameReader()
    assert len(list(reader.feed(FRAME))) == 1
    with pytest.raises(FrameError, match="something else than the agent's messages"):
        list(reader.feed(garbage))


def test_a_node_without_python_says_so() -> None:
    with pytest.raises(NoPython, match=r"no python3 \(3.6 or later\)"):
        read(b"Last login: yesterday\nSD1 nopy", b"thon\n")


def test_a_message_that_is_announced_too_long_is_refused_before_it_comes() -> None:
    assert read(b"SD1 %08x\n" % PAYLOAD_LIMIT) == []
    with pytest.raises(FrameError, match=f"a message of {PAYLOAD_LIMIT + 1} bytes"):
        read(b"SD1 %08x\n" % (PAYLOAD_LIMIT + 1))


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "is not JSON"),
        (b"{\n", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe\n", "is not JSON"),
        (b"[]\n", "does not fit"),
        (b'{"out": 4, "err": 0}\nabc', "does not fit"),
        (b'{"out": -1, "err": 4}\nabc', "does not fit"),
        (b'{"out": 1, "err": 1}\nabc', "does not fit"),
        (b'{"out": "3", "err": 0}\nabc', "does not fit"),
        (b"{}\nabc", "does not fit"),
    ],
)
def test_a_header_that_is_none_is_refused(payload: bytes, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        read(b"SD1 %08x\n" % len(payload) + payload)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_hostile_bytes_are_frames_or_a_frame_error(data: bytes, cut: int) -> None:
    for stream in (data, b"SD1 %08x\n" % len(data) + data, FRAME + data):
        with contextlib.suppress(FrameError):
            read(stream[:cut], stream[cut:])


def test_a_result_carries_its_header_and_both_outputs() -> None:
    [frame] = read(encode(RESULT, b"out", b"err"))
    assert to_result(frame) == Result("a", "c", "s", Status.TIMED_OUT, None, b"out", b"err", 1.5, 2.0, "r")


@pytest.mark.parametrize("change", [{"status": "odd"}, {"exit": "x"}, {"started": []}, {"seconds": None}])
def test_a_result_with_a_field_that_means_nothing_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FrameError, match="a result lacks something"):
        to_result(Frame({**RESULT, **change}, b"", b""))


@pytest.mark.parametrize("field", RESULT)
def test_a_result_without_a_field_is_refused(field: str) -> None:
    with pytest.raises(FrameError, match="a result lacks something"):
        to_result(Frame({key: value for key, value in RESULT.items() if key != field}, b"", b""))


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "ksh", "zsh", "csh", "tcsh", "fish", "busybox"])
def test_the_bootstrap_starts_the_agent_in_every_login_shell(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell}")
    argv = [program, "sh", "-c"] if shell == "busybox" else [program, "-c"]
    with subprocess.Popen([*argv, bootstrap()], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(opening(Plan((), seconds=20)))
        process.stdin.flush()
        frames = read(process.stdout.read())
    assert [frame.header["kind"] for frame in frames] == ["hello", "done"]
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (("no python", "no python"), None),
        (("too old", "no python"), None),
        (("no python", "new"), "new"),
        (("new", "newer"), "new"),
    ],
)
def test_the_bootstrap_takes_the_first_python_and_says_when_that_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: tuple[str, ...], said: str | None
) -> None:
    version = {"too old": "(3, 5)", "new": "(3, 6)", "newer": "(3, 13)"}
    pythons = [tmp_path / f"python{number}" for number in range(len(found))]
    for python, what in zip(pythons, found, strict=True):
        if what in version:
            given = f"import sys; sys.version_info = {version[what]}; PYTHON = sys.argv.pop(2); exec(sys.argv[1])"
            python.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{given}' \"$3\" {what.replace(' ', '-')}\n")
            python.chmod(0o755)
    monkeypatch.setattr(frames, "PYTHONS", tuple(map(str, pythons)))
    monkeypatch.setattr(frames, "BOOT", "print(PYTHON)")
    run = subprocess.run(["sh", "-c", bootstrap()], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if said is None:
        assert run.returncode == 97
        with pytest.raises(NoPython):
            read(run.stdout)
    else:
        assert (run.returncode, run.stdout.decode().strip()) == (0, said)
