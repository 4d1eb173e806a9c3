"""The blocks of an ssh configuration (ssh_config(5)), with what it includes in their places."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackdoctor.errors import UsageError

__all__ = ["Blocks", "read_blocks"]

_DEEPEST_INCLUDE = 16  # as readconf.c has it


@dataclass(frozen=True)
class Blocks:
    """The lines of each block of the file at ``path``, the first those before any.

    ``general`` are the positions of those that may be about any host, ``named`` by its name those that are about that
    host only: a configuration that somebody wrote by a program has one for each of a thousand.
    """

    path: str
    lines: tuple[tuple[str, ...], ...]
    general: tuple[int, ...]
    named: Mapping[str, tuple[int, ...]]

    def of(self, host: str) -> Iterator[str]:
        """The lines that may be about ``host``, in their order."""
        for position in sorted({*self.general, *self.named.get(host, ())}):
            yield from self.lines[position]


def read_blocks(config_path: str | os.PathLike[str]) -> Blocks:
    """The configuration at ``config_path``, an empty one where there is none.  Raises UsageError."""
    path = os.path.expanduser(os.fspath(config_path))
    lines: list[list[str]] = [[]]
    general, named = [0], dict[str, tuple[int, ...]]()
    whole = _lines(path, 0)
    canonical = any("canonicalizehostname" in line.lower() for line in whole)  # then hosts come to have other names
    for line in whole:
        keyword, value = _said(line)
        if keyword in ("host", "match"):
            names = _words(value, path) if keyword == "host" else []
            if not names or canonical or re.search(r"[*?!\[,]", value):
                general.append(len(lines))
            else:
                named.update({name: (*named.get(name, ()), len(lines)) for name in names})
            lines.append([])
        lines[-1].append(line)
    return Blocks(path, tuple(map(tuple, lines)), tuple(general), named)


def _lines(path: str, depth: int, outer: str = "") -> list[str]:
    """The configuration's lines with the files that it includes in their places; none when it is not there.

    ``outer`` is what the block that includes this file asks for, as criteria of Match: blocks in here ask for it too.
    """
    if depth > _DEEPEST_INCLUDE:
        raise UsageError(f"{path}: Include goes deeper than {_DEEPEST_INCLUDE} files")
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            written = stream.read().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    lines: list[str] = []
    criteria = outer
    for line in written:
        keyword, value = _said(line)
        if keyword == "match":
            _refuse_unknown(value, path)
        if keyword in ("host", "match"):
            own = value if keyword == "match" else "originalhost " + ",".join(_words(value, path))
            criteria = " ".join(filter(None, (outer, own if own.lower() != "all" else ""))) or "all"
            lines.append(f"Match {criteria}" if outer else line)
        elif keyword == "include":
            for pattern in _words(value, path):
                place = os.path.join(os.path.expanduser("~/.ssh"), os.path.expanduser(pattern))
                for included in sorted(glob.glob(place)):
                    lines += _lines(included, depth + 1, "" if criteria == "all" else criteria)
                    lines.append(f"Match {criteria or 'all'}")  # the included file may have begun other blocks
        else:
            lines.append(line)
    return lines


def _refuse_unknown(value: str, path: str) -> None:
    """Criteria that are not known would be taken for fulfilled, and ``exec`` would run a program."""
    words = [word for part in _words(value, path) for word in part.split("=", 1)]
    while words:
        criterion = words.pop(0).lstrip("!").lower()
        if criterion in ("all", "canonical", "final"):
            continue
        if criterion not in ("host", "originalhost", "user", "localuser") or not words:
            raise UsageError(
                f"{path}: `Match {value}`: {criterion or 'this'} is not followed, and nothing is run for it:"
                " give a file without it, --ssh-config FILE"
            )
        words.pop(0)


def _words(value: str, path: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise UsageError(f"{path}: {value}: {error}") from error


def _said(line: str) -> tuple[str, str]:
    """A line's keyword in lower case and its value; empty where it has none."""
    found = re.match(r"\s*(\w+)(?:\s*=\s*|\s+)(\S.*)", line)
    return (found[1].lower(), found[2].strip()) if found else ("", "")
