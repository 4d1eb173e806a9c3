"""What may be sent to a node after the user's consent, and nothing like it."""

from __future__ import annotations

import shlex

import pytest

from stackdoctor.active.consent import is_consented, refuse_unconsented
from stackdoctor.active.programs import probe_of
from stackdoctor.errors import UsageError
from stackdoctor.model import Probe

CAPTURE = shlex.split("timeout -s INT -k 2 10 tcpdump -p -n -U -s 256 -c 100 -i tap712c9d12-a3 -w - udp port 67")


def test_a_bounded_capture_to_standard_output_is_listed() -> None:
    assert is_consented(CAPTURE)
    assert is_consented(["ip", "netns", "exec", "qdhcp-1", *CAPTURE])
    assert is_consented(CAPTURE[:-3])


@pytest.mark.parametrize(
    "changed",
    [
        CAPTURE[5:],  # without its bound in seconds
        [*CAPTURE, "-z", "reboot"],
        [*CAPTURE, "-w", "/etc/passwd"],
        [*CAPTURE[:-4], "/tmp/x", "udp"],  # writes a file instead of standard output
        [*CAPTURE, "$(reboot)"],
        [*CAPTURE, "a\nb"],
        ["ip", "netns", "exec", "../x", *CAPTURE],
        ["sh", "-c", "tcpdump"],
    ],
)
def test_what_could_write_run_for_ever_or_run_something_else_is_not(changed: list[str]) -> None:
    assert not is_consented(changed)


def test_a_probe_outside_both_lists_is_refused_and_a_reading_one_is_not() -> None:
    refuse_unconsented([Probe("a", ("uname", "-r")), Probe("b", tuple(CAPTURE))])
    with pytest.raises(UsageError, match="in no list"):
        refuse_unconsented([Probe("c", ("reboot",))])


LOGIN = probe_of("a", "login", ("192.0.2.1", "3260", "-"), 30).argv
TRACING = probe_of("a", "tracing", ("/", "10"), 100).argv
PING = probe_of("a", "ping", ("ping", "192.0.2.1", "5"), 20, "qdhcp-1").argv
DISCOVER = probe_of("a", "discover", ("brq8af4f28b-a6", "fa:16:3e:2e:02:e7", "5"), 25).argv
FETCH = probe_of("a", "fetch", ("169.254.169.254", "80"), 42, "qrouter-1").argv


@pytest.mark.parametrize("argv", [LOGIN, TRACING, PING, DISCOVER, FETCH])
def test_the_programs_of_active_tests_are_listed_by_their_whole_text(argv: tuple[str, ...]) -> None:
    assert is_consented(argv)
    place = next(i for i, word in enumerate(argv) if "\n" in word)
    assert not is_consented([*argv[:place], argv[place] + "\nprint(1)", *argv[place + 1 :]])
    assert not is_consented([*argv, "more"])
    assert not is_consented(argv[argv.index("python3") :])  # without its bound in seconds


@pytest.mark.parametrize(
    ("argv", "changed"),
    [
        (TRACING, ("-p /; reboot", "10")),
        (DISCOVER, ("../brq", "fa:16:3e:2e:02:e7", "5")),
        (LOGIN, ("192.0.2.1", "3260", "iqn.x y")),
        (PING, ("flood", "192.0.2.1", "5")),
    ],
)
def test_the_programs_get_no_other_words(argv: tuple[str, ...], changed: tuple[str, ...]) -> None:
    assert not is_consented([*argv[: -len(changed)], *changed])
