"""A snapshot on disk is what was collected, written whole or not at all, and read with suspicion."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.errors import UsageError
from stackdoctor.model import Clock, Node, NodeResults, Result, Status
from stackdoctor.snapshot.format import Snapshot, file_name
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.snapshot.write import write_snapshot


def snapshot() -> Snapshot:
    results = [
        Result("host.df", "df -P", stdout=b"Filesystem\n", started=1.5, seconds=0.1),
        Result("ns.addr", "ip -n qdhcp-1 addr", "qdhcp-1", stdout=b"\xff\x00 bytes", stderr=b"warn\n", exit=1),
        Result("files", "/etc/../x y", "/etc/../x y", stdout=b"text"),
        Result("tgt", "tgtadm", status=Status.MISSING, exit=None, reason="no tgtadm here"),
    ]
    controller = NodeResults(
        Node("controller", "192.0.2.10", roles=frozenset({"broker"})),
        {(r.probe, r.subject): r for r in results},
        Clock(100.0, 3.25, 0.01, 3600, "CET"),
        "controller.example.com",
    )
    dead = NodeResults(Node("..", "192.0.2.11"), failure="timed out")
    return Snapshot((controller, dead), started=1000.0, seconds=2.5, tool="stackdoctor 0")


@pytest.mark.parametrize("name", ["snap", "snap.tar.gz", "snap.tgz"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    written = snapshot()
    write_snapshot(written, tmp_path / name)
    read = read_snapshot(tmp_path / name)
    assert read.nodes == written.nodes
    assert (read.started, read.seconds, read.tool, read.complete) == (1000.0, 2.5, "stackdoctor 0", True)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_person_can_browse_it(tmp_path: Path) -> None:
    write_snapshot(snapshot(), tmp_path / "snap")
    assert (tmp_path / "snap/nodes/controller/host.df").read_text() == "Filesystem\n"
    manifest = json.loads((tmp_path / "snap/manifest.json").read_text())
    assert manifest["nodes"][0]["failed"] == {"tgt": "missing: no tgtadm here"}
    assert manifest["nodes"][1]["failure"] == "timed out"


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    write_snapshot(snapshot(), tmp_path / "snap")
    write_snapshot(snapshot(), tmp_path / "snap.tgz")
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (*tmp_path.rglob("*"),)]
    assert all(mode & 0o077 == 0 for mode in modes)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "snap").mkdir()
    with pytest.raises(UsageError, match="nothing is overwritten"):
        write_snapshot(snapshot(), tmp_path / "snap")


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a directory"):
        write_snapshot(snapshot(), tmp_path / "no/snap")


def test_a_truncated_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "snap.tar.gz"
    write_snapshot(snapshot(), path)
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:length])
        with pytest.raises(UsageError, match=r"truncated|no manifest"):
            read_snapshot(path)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("{", "damaged"),
        ("[]", "not that of a stackdoctor snapshot"),
        ('{"format": "sosreport"}', "not that of a stackdoctor snapshot"),
        ('{"format": "stackdoctor/snapshot/99"}', "update stackdoctor"),
        ('{"format": "stackdoctor/snapshot/1"}', "damaged"),
        ("[" * 100_000, "damaged"),
    ],
)
def test_a_foreign_or_damaged_manifest_is_said(tmp_path: Path, manifest: str, said: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(UsageError, match=said):
        read_snapshot(tmp_path)


def test_a_directory_that_is_none_and_a_path_that_is_nothing_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no manifest"):
        read_snapshot(tmp_path)
    with pytest.raises(UsageError, match="there is no snapshot"):
        read_snapshot(tmp_path / "nothing")


def test_an_index_cannot_name_files_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    write_snapshot(snapshot(), tmp_path / "snap")
    index = tmp_path / "snap/nodes/controller/index.json"
    entries = json.loads(index.read_text())
    for name in ("../../../secret", "link"):
        entries[0]["stdout"] = name
        index.write_text(json.dumps(entries))
        link = tmp_path / "snap/nodes/controller/link"
        if not link.is_symlink():
            link.symlink_to(tmp_path / "secret")
        with pytest.raises(UsageError):
            read_snapshot(tmp_path / "snap")


def test_links_and_parents_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("../../manifest.json", "snap/../../manifest.json"):
            member = tarfile.TarInfo(name)
            member.size = 2
            archive.addfile(member, io.BytesIO(b"{}"))
        link = tarfile.TarInfo("snap/manifest.json")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(UsageError, match="no manifest"):
        read_snapshot(path)


@given(st.text(), st.text())
def test_every_subject_gives_a_plain_file_name(probe: str, subject: str) -> None:
    try:
        name = file_name(probe, subject)
    except UnicodeEncodeError:
        return
    assert "/" not in name
    assert "\0" not in name
    assert len(name) < 200
    assert name not in (".", "..")
