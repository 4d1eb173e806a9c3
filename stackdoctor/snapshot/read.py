"""Read a snapshot, from a directory or packed, trusting nothing in it."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePosixPath

from stackdoctor.errors import UsageError
from stackdoctor.model import Node, NodeResults, Result
from stackdoctor.snapshot.format import FORMAT, MANIFEST, Snapshot, clock_of, cost_of, file_name, result_of

__all__ = ["read_snapshot"]

FILE_LIMIT = 256 * 1024 * 1024
TOTAL_LIMIT = 4 * 1024 * 1024 * 1024
MEMBER_LIMIT = 2_000_000
PIECE = 1 << 20

ReadFile = Callable[[str], bytes]


def read_snapshot(path: Path) -> Snapshot:
    """The snapshot at ``path`` (a directory, .tar.gz, .tgz or .tar.xz).

    Raises UsageError where there is none, where it is foreign, truncated, or of a newer format.
    """
    if path.is_dir():
        return _parse(path, _directory_reader(path))
    if path.is_file():
        return _parse(path, _archive_reader(path))
    raise UsageError(f"there is no snapshot at {path}: name a directory or a .tar.gz that `stackdoctor collect` wrote")


def _directory_reader(top: Path) -> ReadFile:
    root = top.resolve()

    @cache
    def inside(folder: str) -> bool:
        return (root / folder).resolve().is_relative_to(root)

    def read(name: str) -> bytes:
        path = f"{root}/{name}"
        if os.path.islink(path) or not inside(name.rpartition("/")[0]):
            raise UsageError(f"{top}: {name} leads out of the snapshot; it is not read")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > FILE_LIMIT:
                raise UsageError(f"{top}: {name} is larger than {FILE_LIMIT} bytes; it is not read")
            return file.read(size)  # the limit itself would have room made for it

    return read


def _archive_reader(path: Path) -> ReadFile:
    """Members go to memory and never to the disk: links, devices and `..` have nowhere to lead."""
    contents: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path, "r:*") as archive:
            for count, member in enumerate(archive):
                total += member.size
                if count > MEMBER_LIMIT or member.size > FILE_LIMIT or total > TOTAL_LIMIT:
                    raise UsageError(f"{path} unpacks to more than a snapshot holds; it is not read")
                parts = PurePosixPath(member.name).parts
                if not member.isreg() or len(parts) < 2 or ".." in parts:
                    continue
                file = archive.extractfile(member)
                contents["/".join(parts[1:])] = file.read() if file else b""
            while archive.fileobj is not None and archive.fileobj.read(PIECE):
                pass  # to the end, where a compressed file keeps its checksum
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, tarfile.ReadError) as error:
        raise UsageError(
            f"{path} is truncated or no packed snapshot ({error}): copy it again, or name a directory"
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error

    def read(name: str) -> bytes:
        try:
            return contents[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    return read


def _parse(path: Path, read: ReadFile) -> Snapshot:
    try:
        manifest = json.loads(read(MANIFEST))
    except FileNotFoundError:
        raise UsageError(
            f"{path} has no {MANIFEST}: it is not a snapshot; `stackdoctor collect -o PATH` writes one"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {MANIFEST} is damaged ({error}): copy the snapshot again") from error
    if not isinstance(manifest, dict) or not str(manifest.get("format", "")).startswith("stackdoctor/snapshot/"):
        raise UsageError(f"{path}: {MANIFEST} is not that of a stackdoctor snapshot")
    if manifest["format"] != FORMAT:
        raise UsageError(f"{path} is of format {manifest['format']}, this version reads {FORMAT}: update stackdoctor")
    try:
        return Snapshot(
            nodes=tuple(_node(entry, read) for entry in manifest["nodes"]),
            started=float(manifest["started"]),
            seconds=float(manifest["seconds"]),
            tool=str(manifest["tool"]),
            source=str(path),
            complete=bool(manifest["complete"]),
        )
    except FileNotFoundError as error:
        raise UsageError(f"{path} is truncated: {error.filename or error} is missing; copy it again") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is damaged ({type(error).__name__}: {error}): copy the snapshot again") from error


def _node(entry: dict[str, object], read: ReadFile) -> NodeResults:
    name = str(entry["name"])
    folder = f"nodes/{file_name(name)}"
    roles = entry["roles"]
    if not isinstance(roles, list):
        raise TypeError("roles is not a list")
    results: dict[tuple[str, str], Result] = {}
    for item in json.loads(read(f"{folder}/index.json")):
        file = item["stdout"]
        stdout = read(f"{folder}/{file_name_of(file)}") if file else b""
        result = result_of(item, stdout)
        results[result.probe, result.subject] = result
    return NodeResults(
        node=Node(name, str(entry["address"]), int(str(entry["port"])), roles=frozenset(map(str, roles))),
        results=results,
        clock=clock_of(entry["clock"]),
        hostname=str(entry["hostname"]),
        failure=str(entry["failure"]),
        cost=cost_of(entry.get("cost")),
    )


def file_name_of(name: object) -> str:
    """``name`` as a file right in the node's folder; raises ValueError when it points anywhere else."""
    text = str(name)
    if "/" in text or text in (".", ".."):
        raise ValueError(f"{text!r} is not a file of the node's folder")
    return text
