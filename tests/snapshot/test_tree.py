"""Archives and directories of others: what is read of them, and what is not."""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import ExitStack
from pathlib import Path

import pytest

import stackdoctor.snapshot.tree
from stackdoctor.errors import UsageError
from stackdoctor.snapshot.tree import read_tree, take


def _member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname, member.mtime = len(content), kind, target, 1_700_000_000
    return member, content


def _packed(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return path


def test_links_devices_and_ways_out_of_an_archive_lead_nowhere(tmp_path: Path) -> None:
    path = _packed(
        tmp_path / "a.tar.gz",
        _member("top/log", b"text"),
        _member("top/again", kind=tarfile.SYMTYPE, target="log"),
        _member("top/hard", kind=tarfile.LNKTYPE, target="top/log"),
        _member("top/out", kind=tarfile.SYMTYPE, target="../../../etc/passwd"),
        _member("top/root", kind=tarfile.SYMTYPE, target="/etc/passwd"),
        _member("top/loop", kind=tarfile.SYMTYPE, target="loop"),
        _member("top/null", kind=tarfile.CHRTYPE),
        _member("top/pipe", kind=tarfile.FIFOTYPE),
        _member("../up", b"x"),
        _member("/absolute", b"x"),
        _member("top/two\nlines", b"x"),
    )
    tree = read_tree(path)
    assert set(tree.entries) == {"top/log", "top/again", "top/hard"}
    assert len(tree.notes) == 3
    with ExitStack() as stack:
        taken = take(tree, dict.fromkeys(tree.entries, 100), {"top/again"}, stack)
        assert set(taken.contents.values()) == {b"text"}
        assert taken.files["top/again"].read() == b"text"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar.gz"], "nothing is unpacked"


def test_a_directory_is_not_left_by_its_links_nor_held_up_by_its_pipes(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (top / "file").write_text("text")
    (top / "sub" / "same").symlink_to("../file")
    (top / "sub" / "out").symlink_to("../../secret")
    (top / "away").symlink_to(tmp_path)
    os.mkfifo(top / "pipe")
    tree = read_tree(top)
    assert set(tree.entries) == {"file", "sub/same"}
    with ExitStack() as stack:
        assert take(tree, {"sub/same": 2}, (), stack).contents == {"sub/same": b"tex"}, (
            "one byte more tells that it is cut"
        )


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2", "w"])
def test_half_an_archive_is_read_as_far_as_it_goes(tmp_path: Path, mode: str) -> None:
    noise = os.urandom(3_000_000)  # bzip2 packs 900 kB at a time
    members = (_member("top/first", b"text"), _member("top/second", noise), _member("top/third"))
    path = _packed(tmp_path / "a.tar", *members, mode=mode)
    path.write_bytes(path.read_bytes()[:2_000_000])
    tree = read_tree(path)
    assert "truncated" in tree.notes[0]
    with ExitStack() as stack:
        taken = take(tree, {"top/first": 10}, set(tree.entries), stack)
    assert taken.contents["top/first"] == b"text"


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_text("no archive")
    with pytest.raises(UsageError, match="neither a directory nor a tar archive"):
        read_tree(tmp_path / "x.tar.gz")


def test_what_unpacks_without_end_is_read_up_to_the_bound_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stackdoctor.snapshot.tree, "UNPACKED", 2 << 20)
    bomb = _packed(tmp_path / "bomb.tar.gz", *(_member(f"top/{n}", bytes(1 << 20)) for n in range(8)))
    tree = read_tree(bomb)
    assert len(tree.entries) == 2
    assert "the rest was not read" in tree.notes[0]


def test_files_past_what_memory_and_disk_may_hold_are_cut_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stackdoctor.snapshot.tree, "MEMORY", 1 << 20)
    monkeypatch.setattr(stackdoctor.snapshot.tree, "SPOOLED", 3 << 20)
    names = [f"top/{n}" for n in range(4)]
    tree = read_tree(_packed(tmp_path / "big.tar.gz", *(_member(name, bytes(2 << 20)) for name in names)))
    with ExitStack() as stack:
        small = take(tree, dict.fromkeys(names, 1 << 30), (), stack)
        large = take(tree, {}, names, stack)
        assert sum(map(len, small.contents.values())) <= 1 << 20
        assert len(large.files) == 1
    assert [note for note in large.notes if "is left out" in note]
