"""The one list of commands that touch a node on purpose, each only sent after the user's consent.

What only reads is in ``collect/allowed.py``.  Words are compared one by one; ``{name}`` stands for a word of that
shape, ``{program:NAME}`` for the exact text of active/onnode/NAME.py, and a last word ``...`` for words of a capture
filter or an option of the listed program that names no file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from stackdoctor.active.programs import program
from stackdoctor.collect.allowed import is_allowed
from stackdoctor.errors import UsageError
from stackdoctor.model import Probe

__all__ = ["CONSENTED", "is_consented", "refuse_unconsented"]

CONSENTED: tuple[tuple[str, str], ...] = (
    (
        "timeout -s INT -k 2 {seconds} tcpdump -p -n -U -s {number} -c {number} -i {interface} -w - ...",
        "copies packets of one interface to standard output, without promiscuous mode; ends by itself",
    ),
    (
        "ip netns exec {namespace} timeout -s INT -k 2 {seconds} tcpdump -p -n -U -s {number} -c {number}"
        " -i {interface} -w - ...",
        "the same inside a namespace",
    ),
    (
        "timeout -k 2 {seconds} python3 -I -c {program:ping} {what} {address} {number}",
        "echo requests with and without Don't Fragment, and ARP requests, to one address; ends by itself",
    ),
    (
        "ip netns exec {namespace} timeout -k 2 {seconds} python3 -I -c {program:ping} {what} {address} {number}",
        "the same inside a namespace",
    ),
    (
        "timeout -k 2 {seconds} python3 -I -c {program:discover} {interface} {mac} {seconds}",
        "DHCPDISCOVER into a bridge, from a namespace that the kernel takes away with its process; never a REQUEST",
    ),
    (
        "ip netns exec {namespace} timeout -k 2 {seconds} python3 -I -c {program:fetch} {address} {number}",
        "one HTTP GET to a metadata proxy, without an instance's identity",
    ),
    (
        "timeout -k 2 {seconds} python3 -I -c {program:login} {address} {number} {iqn}",
        "an iSCSI login that attaches nothing: a discovery session, or the first request of a login to one target",
    ),
    (
        "timeout -k 2 {seconds} python3 -I -c {program:tracing} {vhost} {seconds}",
        "the broker's own tracer for some seconds; a process apart switches it off, also when this one is killed",
    ),
)

_SHAPES = {
    "{seconds}": re.compile(r"\d{1,4}(?:\.\d{1,3})?"),
    "{number}": re.compile(r"\d{1,9}"),
    "{interface}": re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,14}"),
    "{namespace}": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"),
    "{address}": re.compile(r"[0-9A-Fa-f.:]{2,45}"),
    "{uuid}": re.compile(r"[0-9a-f-]{36}"),
    "{mac}": re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}"),
    "{what}": re.compile(r"ping|mtu"),
    "{iqn}": re.compile(r"-|(?:iqn|eui|naa)\.[A-Za-z0-9.:_-]{1,220}"),
    "{vhost}": re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_. -]{0,99}"),
}
_FILTER_WORD = re.compile(r"[A-Za-z0-9_.:/=<>&!\[\]()-]{1,64}")

_FORMS = tuple(shlex.split(form) for form, _ in CONSENTED)


def is_consented(argv: Sequence[str]) -> bool:
    """Whether ``argv`` is one of the listed commands."""
    return any(_fits(form, argv) for form in _FORMS)


def _fits(form: Sequence[str], argv: Sequence[str]) -> bool:
    fixed = form[:-1] if form[-1] == "..." else form
    rest = argv[len(fixed) :]
    if len(argv) < len(fixed) or (rest and form[-1] != "..."):
        return False
    if not all(_word_fits(word, given) for word, given in zip(fixed, argv, strict=False)):
        return False
    # tcpdump takes options after the filter too: a word that begins with a dash could name a file to write
    return all(_FILTER_WORD.fullmatch(word) and not word.startswith("-") for word in rest)


def _word_fits(word: str, given: str) -> bool:
    if word.startswith("{program:"):
        return given == program(word[9:-1])
    shape = _SHAPES.get(word)
    return word == given if shape is None else shape.fullmatch(given) is not None


def refuse_unconsented(probes: Iterable[Probe]) -> None:
    """Raises UsageError for a probe with a command that is in neither list."""
    for probe in probes:
        for argv in (probe.argv, *probe.otherwise, *((probe.each.argv,) if probe.each else ())):
            if argv and not is_consented(argv) and not is_allowed(argv):
                raise UsageError(
                    f"probe {probe.id} asks for `{shlex.join(argv)}`, which is in no list of commands"
                    " (stackdoctor/active/consent.py); nothing was sent"
                )
