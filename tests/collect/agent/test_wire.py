"""Answers travel gathered, all of them and in order, and a reader that is gone is noticed."""

from __future__ import annotations

import json
import os
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.collect.agent.wire import ENOUGH, MOST, Post, frame, in_json
from stackdoctor.collect.frames import FrameReader


def headers(number: int) -> list[dict[str, object]]:
    return [{"kind": "result", "number": k} for k in range(number)]


def test_answers_that_come_at_once_go_in_one_piece() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # each write is a message of its own
    with ours, theirs:
        post = Post(ours.fileno())
        lengths = [post.put(header, b"out", b"err") for header in headers(40)]
        post.close()
        ours.shutdown(socket.SHUT_WR)
        pieces = list(iter(lambda: theirs.recv(1 << 20), b""))
    assert b"".join(pieces) == b"".join(frame(header, b"out", b"err") for header in headers(40))
    assert sum(lengths) == sum(map(len, pieces))
    assert len(pieces) <= 3


TEXT = st.text(st.characters(exclude_categories=()))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_header_is_json_in_one_line(value: object) -> None:
    written = in_json(value)
    assert json.loads(written) == value
    assert "\n" not in written


def test_letters_that_are_none_do_not_stop_a_frame() -> None:
    (sent,) = FrameReader().feed(frame({"kind": "hello", "hostname": "caf\udce9 \u20ac"}))
    assert sent.header["hostname"] == "caf? \u20ac"


def test_a_reader_that_is_slow_holds_the_agent_up_and_gets_everything() -> None:
    taken, given = os.pipe()
    with os.fdopen(taken, "rb") as reader:
        post = Post(given)
        body = b"x" * ENOUGH
        count = 3 * MOST // ENOUGH
        writer = threading.Thread(target=lambda: [post.put(header, body) for header in headers(count)])
        writer.start()
        first = reader.read(1)
        assert len(post.held) <= MOST + 2 * ENOUGH
        read = threading.Thread(target=lambda: received.append(first + reader.read()))
        received: list[bytes] = []
        read.start()
        writer.join()
        post.close()
        os.close(given)
        read.join()
    assert received == [b"".join(frame(header, body) for header in headers(count))]


def test_a_reader_that_has_gone_is_an_error() -> None:
    taken, given = os.pipe()
    os.close(taken)
    post = Post(given)
    post.put({"kind": "result"})
    with pytest.raises(BrokenPipeError):
        post.close()
    with pytest.raises(BrokenPipeError):
        post.put({"kind": "result"})
    os.close(given)
