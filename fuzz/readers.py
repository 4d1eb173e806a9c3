"""Everything that reads what others wrote, by name: each takes any bytes, and raises nothing but what it declares.

`make fuzz` feeds them (fuzz/run.py), and so do the tests (tests/test_any_bytes.py).  Facts are taken from the package
itself, so that none can be forgotten.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from stackdoctor.active.pcap import read_capture
from stackdoctor.collect.agent.openrc import lacks, of_clouds, of_shell, v2_body, v3_body
from stackdoctor.collect.agent.secrets import redact
from stackdoctor.collect.agent.stamps import Stamps
from stackdoctor.collect.frames import FrameError
from stackdoctor.collect.hostkeys import HostKeyPolicy
from stackdoctor.collect.plan import Plan
from stackdoctor.collect.session import Ending, converse
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.diagnose.playbook import parse_playbook
from stackdoctor.diagnose.registry import Check
from stackdoctor.diagnose.roles import with_roles
from stackdoctor.diagnose.symptom import parse_symptoms
from stackdoctor.errors import CouldNotCheck, NotApplicable, UsageError
from stackdoctor.facts.ere import to_ere
from stackdoctor.facts.every import every_fact
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.service_names import of_container
from stackdoctor.firewall.packet import parse_packet
from stackdoctor.firewall.traverse import traverse
from stackdoctor.firewall.walk import Firewall
from stackdoctor.inventory.file import read_inventory
from stackdoctor.inventory.nodelist import parse_nodes
from stackdoctor.inventory.sshblocks import read_blocks
from stackdoctor.inventory.sshconfig import resolve
from stackdoctor.model import Clock, Cloud, Node, NodeResults, Probe, Result, Status
from stackdoctor.report.from_json import read_report
from stackdoctor.report.hostile import plain
from stackdoctor.snapshot.foreign import Reading, read_all
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.trace.records import read_records, record_scan

__all__ = ["BETWEEN", "READERS", "answers", "written"]

BETWEEN = b"\0--\0"
"""What parts the answers of one node in the bytes that a fact is fed."""

SUBJECTS = ("", "#2", "x", "/", "/#2", "a b")
STATUSES = (Status.RAN, *Status)
EXITS: tuple[int | None, ...] = (0, 1, 69, None)
Reader = Callable[[bytes], None]


def answers(fact: type[Fact], data: bytes) -> NodeResults:
    """What a node answers to a fact's probes: in each piece three bytes say to which, about what and how it ended."""
    results: dict[tuple[str, str], Result] = {}
    for piece in data.split(BETWEEN)[:16]:
        if len(piece) < 3 or not fact.probes:
            continue
        probe = fact.probes[piece[0] % len(fact.probes)]
        subjects = (*SUBJECTS, *probe.files)
        subject = subjects[piece[1] % len(subjects)]
        status, exit_status = STATUSES[piece[2] % len(STATUSES)], EXITS[piece[2] // 16 % len(EXITS)]
        results[probe.id, subject] = Result(probe.id, "asked", subject, status, exit_status, piece[3:], piece[3:400])
    return NodeResults(Node("n"), results, Clock(1.0), "n")


def written(fact: type[Fact], results: NodeResults) -> bytes | None:
    """The bytes that ``answers`` makes ``results`` of, near enough; None where they have none of the fact's."""
    pieces = []
    for number, probe in enumerate(fact.probes):
        for (id_, subject), result in results.results.items():
            if id_ == probe.id:
                subjects = (*SUBJECTS, *probe.files)
                about = subjects.index(subject) if subject in subjects else 2
                ended = STATUSES.index(result.status) + 16 * (EXITS.index(result.exit) if result.exit in EXITS else 1)
                pieces.append(bytes((number, about, ended)) + result.stdout)
    return BETWEEN.join(pieces) if pieces else None


def checks_of_one_fact() -> dict[type[Fact], list[Check]]:
    """The checks that need no other fact than the one."""
    found: dict[type[Fact], list[Check]] = {}
    for check in load_knowledge().checks:
        needed = {need.fact for need in check.needs if not need.optional}
        if len(needed) == 1:
            found.setdefault(needed.pop(), []).append(check)
    return found


def of_fact(fact: type[Fact], checks: list[Check], data: bytes) -> None:
    """A fact of any answers, and what its checks say of it."""
    try:
        value = fact.parse(answers(fact, data))
    except (CouldNotCheck, NotApplicable):
        return
    repr(value)
    for check in checks:
        given = {
            need.parameter: (Cloud({"n": value} if need.fact is fact else {}, {}))
            if need.cloud
            else (value if need.fact is fact else None)
            for need in check.needs
        }
        with contextlib.suppress(CouldNotCheck, NotApplicable):
            for finding in check.run(**given):
                str(finding)


@contextlib.contextmanager
def as_file(data: bytes) -> Iterator[Path]:
    """A file that is nowhere on the disk."""
    descriptor = os.memfd_create("fuzz")
    try:
        os.write(descriptor, data)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def of_file(read: Callable[[Path], object], data: bytes) -> None:
    with as_file(data) as path, contextlib.suppress(UsageError):
        read(path)


def of_text(read: Callable[[str], object], data: bytes) -> None:
    with contextlib.suppress(UsageError):
        read(data.decode("utf-8", "replace"))


class Said:
    """A channel to a node that says what it is told to, in pieces."""

    def __init__(self, data: bytes) -> None:
        self.pieces = [data[:7], data[7:], b""]

    def write(self, data: bytes, deadline: float) -> None:
        pass

    def read(self, deadline: float) -> bytes:
        while len(self.pieces) > 1 and not self.pieces[0]:
            self.pieces.pop(0)
        return self.pieces.pop(0) if self.pieces else b""

    def last_words(self) -> str:
        return ""


PLAN = Plan((Probe("uptime", ("cat", "/proc/uptime")), Probe("version", ("cat", "/proc/version"))), seconds=1.0)


def of_conversation(data: bytes) -> None:
    """What an agent might say; whatever it is, it is about its node."""
    with contextlib.suppress(FrameError):
        converse(Node("n"), PLAN, Said(data), Ending(), 5.0)


def of_secrets(data: bytes) -> None:
    """Redaction keeps the lines, and what it has left out it does not find again."""
    once = redact(data)
    assert redact(once).count(b"\n") == once.count(b"\n")


def of_terminal(data: bytes) -> None:
    """Whatever is printed is printable."""
    assert plain(data.decode("utf-8", "surrogateescape"), 500).isprintable()


def of_stamps(data: bytes) -> None:
    stamps = Stamps(1_795_000_000.0)
    for line in data.split(b"\n")[:100]:
        stamps.read(line)


def of_credentials(data: bytes) -> None:
    """The files of credentials on a controller, as the agent reads them."""
    text = data.decode("utf-8", "replace")
    for found in (of_shell(text), of_clouds(text)):
        if not lacks(found):
            v3_body(found)
            if "OS_USERNAME" in found:
                v2_body(found)


def of_patterns(data: bytes) -> None:
    """The pattern for a node's grep, of any regular expression that a signature may have."""
    with contextlib.suppress(ValueError):
        to_ere(data[:200].decode("ascii", "ignore"))


def of_rules(data: bytes) -> None:
    """Rules of any kind, and what they do to a packet."""
    try:
        rules = Iptables.parse(answers(Iptables, data))
    except (CouldNotCheck, NotApplicable):
        return
    packet = parse_packet("tcp 192.0.2.1:1 > 192.0.2.2:80 in tap0 out tap1 state NEW")
    with contextlib.suppress(UsageError):
        traverse(Firewall(rules, None), packet)


def of_records(data: bytes) -> None:
    """The records of a trace, of what a node's log scan says."""
    results = {("logs.hits", ""): Result("logs.hits", "grep", stdout=data)}
    read_records([NodeResults(Node("n"), results, Clock(1.0))], ("req-",))


COLLECTED = Reading(replace(PLAN, logs=record_scan(("req-",), 1800.0)), lambda now: 1800.0, of_container, with_roles)


def of_collected(data: bytes) -> None:
    """An archive that somebody else made."""
    with as_file(data) as path, contextlib.suppress(UsageError):
        read_all((path,), COLLECTED)


def of_known_hosts(data: bytes) -> None:
    with as_file(data) as path:
        HostKeyPolicy((str(path),)).known("192.0.2.1", 2222)


def of_ssh_configuration(data: bytes) -> None:
    with as_file(data) as path, contextlib.suppress(UsageError):
        resolve(Node("n", "192.0.2.1"), read_blocks(path))


def of_capture(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        read_capture("x.pcap", data)


def readers() -> dict[str, Reader]:
    """All of them."""
    checks = checks_of_one_fact()
    found: dict[str, Reader] = {f"fact {f.__name__}": partial(of_fact, f, checks.get(f, [])) for f in every_fact()}
    found["agent"] = of_conversation
    found["collected"] = of_collected
    found["credentials"] = of_credentials
    found["firewall"] = of_rules
    found["inventory"] = partial(of_file, read_inventory)
    found["known_hosts"] = of_known_hosts
    found["log stamps"] = of_stamps
    found["node list"] = partial(of_text, parse_nodes)
    found["packet"] = partial(of_text, parse_packet)
    found["pattern"] = of_patterns
    found["playbook"] = partial(of_text, lambda text: parse_playbook(text, "x.yaml"))
    found["records"] = of_records
    found["report"] = partial(of_file, read_report)
    found["secrets"] = of_secrets
    found["snapshot"] = partial(of_file, read_snapshot)
    found["ssh configuration"] = of_ssh_configuration
    found["symptoms"] = partial(of_text, lambda text: parse_symptoms(text, "x.yaml"))
    found["terminal"] = of_terminal
    found["capture"] = of_capture
    return found


READERS = readers()
