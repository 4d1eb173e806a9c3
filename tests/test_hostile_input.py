"""Bombs and traps in everything that is read: nested, linked, packed, repeated; each is refused or read in bounds."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stackdoctor.collect.agent.secrets import redact
from stackdoctor.errors import CouldNotCheck, NotApplicable, UsageError
from stackdoctor.facts.every import every_fact
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.libvirt import Domains
from stackdoctor.facts.pacemaker import Pacemaker
from stackdoctor.inventory.file import read_inventory
from stackdoctor.model import Clock, Node, NodeResults, Probe, Result
from stackdoctor.snapshot import read
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.snapshot.write import write_snapshot

LAUGHS = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
ENTITIES = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
XML_BOMB = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol">{ENTITIES}]><x>&i;</x>'
XML_FILE = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><domain><name>&a;</name></domain>'
)
DEEP = 100_000


@pytest.mark.parametrize("where", ["nodes: *i", "ignore: *i\nnodes: [a]"])
def test_a_yaml_bomb_is_refused(tmp_path: Path, where: str) -> None:
    file = tmp_path / "cloud.yaml"
    file.write_text(f"a: &a [x, x]\n{LAUGHS}{where}\n")
    with pytest.raises(UsageError):
        read_inventory(file)


@pytest.mark.parametrize("content", ["[" * DEEP, "{a: " * 5000, "nodes: " + "[" * 5000 + "]" * 5000])
def test_yaml_that_is_nested_without_end_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "cloud.yaml"
    file.write_text(content)
    with pytest.raises(UsageError):
        read_inventory(file)


def answered(fact: type[Fact], content: bytes) -> NodeResults:
    """A node whose every probe of ``fact`` has answered with ``content``."""
    return NodeResults(
        Node("n"),
        {(p.id, s): Result(p.id, "asked", s, stdout=content) for p in fact.probes for s in subjects(p)},
        Clock(1.0),
    )


def subjects(probe: Probe) -> tuple[str, ...]:
    return ("", "#2") if probe.again_after else ("x", *probe.files[:1]) if probe.each or probe.files else ("",)


@pytest.mark.parametrize("bomb", [XML_BOMB, XML_FILE], ids=["laughs", "file"])
@pytest.mark.parametrize("fact", [Domains, Pacemaker], ids=lambda f: f.__name__)
def test_an_xml_bomb_is_no_answer_and_no_file_is_read(fact: type[Fact], bomb: str) -> None:
    shown = ""
    with contextlib.suppress(CouldNotCheck, NotApplicable):
        shown = repr(fact.parse(answered(fact, bomb.encode())))
    assert len(shown) < 100_000
    assert Path("/etc/hostname").read_text().strip() not in shown


NESTED = (b"[" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP, b"<a>" * DEEP, b"{[" * DEEP, b"(" * DEEP)


@pytest.mark.parametrize("fact", every_fact(), ids=lambda f: f.__name__)
def test_what_is_nested_a_hundred_thousand_deep_is_no_crash(fact: type[Fact]) -> None:
    for content in NESTED:
        with contextlib.suppress(CouldNotCheck, NotApplicable):
            fact.parse(answered(fact, content))


def growth(work: Callable[[int], object], size: int) -> float:
    """How many times as long four times as much takes; 4 is linear, 16 quadratic.

    The best of five of each, where one of each does not show at once that it is far from quadratic.
    """

    def taken(count: int) -> float:
        gc.disable()  # when it looks through all objects is no matter of the text
        begun = time.process_time()
        work(count)
        end = time.process_time()
        gc.enable()
        return end - begun

    long = taken(4 * size)
    if long < 0.05:
        return 1.0  # what is over at once has no shape
    short = taken(size)
    if long < 8 * short:
        return long / short
    long = min(long, *(taken(4 * size) for _ in range(4)))
    return long / min(short, *(taken(size) for _ in range(4)))


LINES = (
    b"a" * 40,
    b"a b c d e f g h i j",
    b"aaaa=aaaa,aaaa=aaaa;aaaa",
    b"{a,[b,{c,d}]},",
    b'{"a": "b"},',
    b"-A a -s 10.0.0.1/32 -d 10.0.0.2/32 -j a",
    b"1: a: <A,B> mtu 1500 qdisc a",
    b"    a: 1",
    b"\x1b[31m\xff\x00",
    b"[a]",
    b" ",
    b" a",
    b"a = b\n c",
)


@pytest.mark.parametrize("fact", every_fact(), ids=lambda f: f.__name__)
def test_time_grows_with_the_text_and_not_with_its_square(fact: type[Fact]) -> None:
    def parse(line: bytes, separator: bytes, count: int) -> None:
        with contextlib.suppress(CouldNotCheck, NotApplicable):
            fact.parse(answered(fact, separator.join([line] * count)))

    for line in LINES:
        for separator in (b"\n", b""):
            assert growth(lambda n, line=line, sep=separator: parse(line, sep, n), 1000) < 11, (line, separator)  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        b"password",
        b"password=",
        b"://a:",
        b"://a:b",
        b"mysql -p",
        b"secret,",
        b'"token": {',
        b"a-b-token ",
        b"$6$",
        b"\\",
        b"echo a",
        b"curl -u ",
        b"chpasswd:\n  a",
        b"-----BEGIN PRIVATE KEY-----",
        b"a,b:c",
        b"user a password ",
    ],
)
def test_redaction_takes_time_in_proportion(text: bytes) -> None:
    assert growth(lambda n: redact(text * n), 500) < 11


def packed(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, to
    return made


@pytest.mark.parametrize(
    "trap",
    [
        member("s/manifest.json", tarfile.SYMTYPE, "/etc/passwd"),
        member("s/manifest.json", tarfile.LNKTYPE, "/etc/passwd"),
        member("s/manifest.json", tarfile.CHRTYPE),
        member("s/manifest.json", tarfile.BLKTYPE),
        member("s/manifest.json", tarfile.FIFOTYPE),
        member("../manifest.json"),
        member("s/../../manifest.json"),
        member("/manifest.json"),
    ],
    ids=lambda m: f"{m.name}-{m.type!r}",
)
def test_links_devices_and_parents_are_no_members(tmp_path: Path, trap: tarfile.TarInfo) -> None:
    with pytest.raises(UsageError):
        read_snapshot(packed(tmp_path / "s.tar.gz", (trap, b"{}")))


def test_what_unpacks_to_more_than_a_snapshot_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "FILE_LIMIT", 1 << 20)
    with pytest.raises(UsageError, match="more than a snapshot holds"):
        read_snapshot(packed(tmp_path / "one.tar.gz", (member("s/manifest.json"), bytes(2 << 20))))
    monkeypatch.setattr(read, "TOTAL_LIMIT", 4 << 20)
    with pytest.raises(UsageError, match="more than a snapshot holds"):
        read_snapshot(packed(tmp_path / "many.tar.gz", *((member(f"s/{n}"), bytes(1 << 20)) for n in range(5))))


def test_a_manifest_that_is_nested_without_end_is_damaged(tmp_path: Path) -> None:
    for content in (b"[" * DEEP, b'{"format": ' + b"[" * DEEP):
        path = packed(tmp_path / "s.tar.gz", (member("s/manifest.json"), content))
        with pytest.raises(UsageError, match="damaged"):
            read_snapshot(path)


def test_names_with_line_feeds_and_escapes_come_back_as_they_were(tmp_path: Path) -> None:
    odd = ["a\nb", "\x1b[2J", "../x", "/etc/passwd", ".", "..", "x" * 500, "é\udcff", "a\0b"]
    results = {("p", s): Result("p", "c", s, stdout=s.encode("utf-8", "surrogateescape")) for s in odd}
    write_snapshot(Snapshot((NodeResults(Node("n\n\x1b"), results, Clock(1.0)),), 1.0, 1.0, "t"), tmp_path / "s")
    found = read_snapshot(tmp_path / "s").nodes[0]
    assert found.node.name == "n\n\x1b"
    assert {r.stdout for r in found.results.values()} == {r.stdout for r in results.values()}
    outside = {p.name for p in tmp_path.iterdir()}
    assert outside == {"s"}


def test_json_that_is_nested_is_bounded_by_the_interpreter() -> None:
    with pytest.raises(RecursionError):
        json.loads("[" * max(DEEP, sys.getrecursionlimit() * 10))
