"""A directory or a packed one as read-only files: nothing of it is written anywhere, and nothing in it leads out.

An archive is read twice: once for what is in it, once for what is wanted.  Small files go to memory, large ones to
unnamed temporary files, which are gone when they are closed, however this program ends.
"""

from __future__ import annotations

import gzip
import lzma
import os
import posixpath
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from stackdoctor.errors import UsageError

__all__ = ["ARCHIVES", "Entry", "Taken", "Tree", "read_tree", "take"]

ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".tar")
MEMBERS = 1_000_000
UNPACKED = 16 * 1024**3
MEMORY = 512 * 1024**2
SPOOLED = 8 * 1024**3
HOPS = 10
PIECE = 1 << 18
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, tarfile.TarError, OSError)


@dataclass(frozen=True)
class Entry:
    """One regular file: ``real`` is where it lies, which is elsewhere where its name is a link within the tree."""

    real: str
    size: int
    mtime: float


@dataclass(frozen=True)
class Tree:
    """The regular files of ``path`` by their place in it, ``/`` between the parts.  ``notes`` say what is amiss."""

    path: Path
    entries: Mapping[str, Entry]
    notes: tuple[str, ...] = ()

    @property
    def packed(self) -> bool:
        """Whether it is an archive."""
        return not self.path.is_dir()

    @property
    def name(self) -> str:
        """What it is called without the endings of an archive."""
        name = self.path.resolve().name
        return next((name[: -len(end)] for end in ARCHIVES if name.endswith(end)), name)


@dataclass(frozen=True)
class Taken:
    """What was asked for, by its place; what could not be read is in neither."""

    contents: Mapping[str, bytes] = field(default_factory=dict)
    files: Mapping[str, BinaryIO] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_tree(path: Path) -> Tree:
    """What is in the directory or archive at ``path``.  Raises UsageError where it cannot be read at all."""
    try:
        found, links, notes = _walk(path) if path.is_dir() else _members(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    for name, target in links.items():
        real = _followed(name, target, found, links)
        if real is not None:
            found[name] = found[real]
    return Tree(path, found, tuple(notes))


def _followed(name: str, target: str, found: Mapping[str, Entry], links: Mapping[str, str]) -> str | None:
    """The file that a link leads to; None where that is none of the tree."""
    for _ in range(HOPS):
        if target.startswith("/"):
            return None
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if name in found:
            return name
        if name not in links:
            return None
        target = links[name]
    return None


Listing = tuple[dict[str, Entry], dict[str, str], list[str]]


def _walk(top: Path) -> Listing:
    found: dict[str, Entry] = {}
    links: dict[str, str] = {}
    notes: list[str] = []
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            inside = list(os.scandir(top / folder))
        except OSError as error:
            if not folder:
                raise
            notes.append(f"{folder}: {error.strerror}")
            continue
        for item in inside:
            name = f"{folder}/{item.name}" if folder else item.name
            if not _sound(name):
                notes.append(f"{name!r} is left out: no file of a host is called so")
            elif item.is_symlink():
                links[name] = os.readlink(item.path)
            elif item.is_dir(follow_symlinks=False):
                folders.append(name)
            elif item.is_file(follow_symlinks=False):
                known = item.stat(follow_symlinks=False)
                found[name] = Entry(name, known.st_size, known.st_mtime)
        if len(found) + len(links) > MEMBERS:
            notes.append(f"more than {MEMBERS} files: the rest was not looked at")
            break
    return found, links, notes


def _members(path: Path) -> Listing:
    found: dict[str, Entry] = {}
    links: dict[str, str] = {}
    notes: list[str] = []
    total = 0
    try:
        for count, member in enumerate(_streamed(path)):
            total += member.size
            if count > MEMBERS or total > UNPACKED:
                notes.append(f"it unpacks to more than {MEMBERS} files or {UNPACKED >> 30} GiB: the rest was not read")
                break
            name = posixpath.normpath(member.name)
            if name.startswith(("/", "..")) or not _sound(name):
                notes.append(f"{member.name!r} is left out: it leads out of the archive, or no file is called so")
            elif member.isreg():
                found[name] = Entry(name, member.size, float(member.mtime))
            elif member.issym():
                links[name] = member.linkname
            elif member.islnk():
                links[name] = posixpath.relpath(member.linkname.lstrip("/"), posixpath.dirname(name) or ".")
    except _BROKEN as error:
        if not found:
            raise UsageError(f"{path} is neither a directory nor a tar archive that can be read ({error})") from error
        notes.append(f"it is truncated or damaged ({error}): what comes after {len(found)} files is missing")
    return found, links, notes


def _streamed(path: Path) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            yield member
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all


def _sound(name: str) -> bool:
    return not any(ord(c) < 32 or c == "\x7f" for c in name) and len(name) < 4096


def take(tree: Tree, small: Mapping[str, int], large: Collection[str], stack: ExitStack) -> Taken:
    """The first bytes of the files of ``small`` (at most so many and one more), and those of ``large`` open.

    ``stack`` closes them.  One pass over an archive, however many are asked for.
    """
    contents: dict[str, bytes] = {}
    files: dict[str, BinaryIO] = {}
    notes: list[str] = []
    limits: dict[str, int] = {}
    for name, limit in small.items():
        real = tree.entries[name].real
        limits[real] = max(limit, limits.get(real, 0))
    wanted = {tree.entries[name].real for name in large}
    room, spool = MEMORY, SPOOLED
    try:
        for real, stream, size in _each(tree, limits.keys() | wanted):
            if real in wanted:
                if size > spool:
                    notes.append(f"{real} is left out: more than {SPOOLED >> 30} GiB of logs")
                    continue
                files[real] = stack.enter_context(_opened(stream, tree.packed))
                spool -= size
            if real in limits:
                source = files.get(real, stream)
                contents[real] = source.read(min(limits[real] + 1, max(0, room)))
                room -= len(contents[real])
                source.seek(0) if real in files else None
    except _BROKEN as error:
        if not tree.packed:
            raise UsageError(f"{tree.path} cannot be read: {error}") from error
    return Taken(
        {name: contents[tree.entries[name].real] for name in small if tree.entries[name].real in contents},
        {name: files[tree.entries[name].real] for name in large if tree.entries[name].real in files},
        tuple(notes),
    )


def _each(tree: Tree, wanted: Collection[str]) -> Iterator[tuple[str, BinaryIO, int]]:
    if tree.packed:
        left = set(wanted)
        with tarfile.open(tree.path, "r|*") as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined]
                name = posixpath.normpath(member.name)
                if member.isreg() and name in left:
                    left.discard(name)  # of two of a name, the first
                    stream = archive.extractfile(member)
                    if stream is not None:
                        yield name, stream, member.size  # type: ignore[misc]
                if not left:
                    return
        return
    for name in sorted(wanted):
        try:
            fd = os.open(tree.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        with open(fd, "rb") as file:
            known = os.fstat(fd)
            if stat.S_ISREG(known.st_mode):
                yield name, file, known.st_size


def _opened(stream: BinaryIO, packed: bool) -> BinaryIO:
    """The file itself, or what an archive holds, in a file without a name."""
    if not packed:
        return open(os.dup(stream.fileno()), "rb")
    spooled = tempfile.TemporaryFile(prefix="stackdoctor-")  # noqa: SIM115 - its caller closes it
    try:
        while piece := stream.read(PIECE):
            spooled.write(piece)
        spooled.flush()
        spooled.seek(0)
    except BaseException:
        spooled.close()
        raise
    return spooled
