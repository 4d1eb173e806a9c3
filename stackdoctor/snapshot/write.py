"""Write a snapshot: whole or not at all, for its owner's eyes only."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stackdoctor.errors import UsageError
from stackdoctor.model import NodeResults
from stackdoctor.snapshot.format import FORMAT, MANIFEST, Snapshot, file_name, node_entry, result_entry

__all__ = ["is_packed", "write_snapshot"]


def is_packed(path: Path) -> bool:
    """Whether ``path`` names a packed snapshot."""
    return path.name.endswith((".tar.gz", ".tgz"))


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write ``snapshot`` to ``path``: a directory, or packed where the name ends in .tar.gz or .tgz.

    Raises UsageError when something is there already, or when it cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} exists: nothing is overwritten; choose another name or remove it")
    parent = path.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"{parent} is not a directory: make it, or choose another place for the snapshot")
    try:
        if is_packed(path):
            _write_packed(snapshot, path, parent)
        else:
            _write_directory(snapshot, path, parent)
    except OSError as error:
        raise UsageError(f"the snapshot could not be written to {path}: {error.strerror or error}") from error


def _write_directory(snapshot: Snapshot, path: Path, parent: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=parent))
    try:
        for name, content in _files(snapshot):
            target = partial / name
            for folder in reversed(target.relative_to(partial).parents):
                (partial / folder).mkdir(mode=0o700, exist_ok=True)
            with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write_packed(snapshot: Snapshot, path: Path, parent: Path) -> None:
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=parent)
    stem = path.name.removesuffix(".tgz").removesuffix(".tar.gz")
    try:
        with open(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
            for name, content in _files(snapshot):
                member = tarfile.TarInfo(f"{stem}/{name}")
                member.size = len(content)
                member.mode = 0o600
                member.mtime = int(snapshot.started)
                archive.addfile(member, io.BytesIO(content))
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _files(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    manifest = {
        "format": FORMAT,
        "tool": snapshot.tool,
        "started": snapshot.started,
        "seconds": snapshot.seconds,
        "complete": snapshot.complete,
        "nodes": [node_entry(node) for node in snapshot.nodes],
    }
    yield MANIFEST, _json(manifest)
    for node in snapshot.nodes:
        yield from _node_files(node)


def _node_files(node: NodeResults) -> Iterator[tuple[str, bytes]]:
    folder = f"nodes/{file_name(node.node.name)}"
    index = []
    for (probe, subject), result in sorted(node.results.items()):
        name = file_name(probe, subject) if result.stdout else None
        index.append(result_entry(result, name))
        if name is not None:
            yield f"{folder}/{name}", result.stdout
    yield f"{folder}/index.json", _json(index)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
