"""YAML files that a person wrote: read within bounds, and complained about with line and column."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from stackdoctor.errors import UsageError

__all__ = ["Document", "composed", "file_content", "unknown_key"]

_LARGEST = 4 * 1024 * 1024
_MOST_VALUES = 200_000
_SECRET = re.compile(r"(?i)passw|passphrase|secret|token|credential|community")


def file_content(file: Path, what: str) -> bytes:
    """The bytes of ``file``; raises UsageError where it cannot be read or is too large to be ``what``."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read the {what} {file}: {error.strerror or error}") from error
    if len(content) > _LARGEST:
        raise UsageError(f"{file} is larger than {_LARGEST // 1024 // 1024} MiB: that is no {what}")
    return content


def composed(file: Path, content: bytes, what: str) -> yaml.Node | None:
    """The YAML nodes of the one document, with merge keys resolved; None where there is none.

    Raises UsageError for what is not YAML, keys that are written twice, and aliases that stand for too much.
    """
    try:
        loader = yaml.SafeLoader(content)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _refuse_bomb(file, root)
            for mapping in _mappings(root, set()):
                _refuse_repeated(file, mapping)
                loader.flatten_mapping(mapping)
            _refuse_bomb(file, root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise UsageError(f"{place}: {error.problem or error.context or 'not YAML'}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise UsageError(f"{file} is nested too deeply to be {what}") from error
    return root


def _refuse_bomb(file: Path, root: yaml.Node) -> None:
    """An alias is one word that may stand for a million values: count what they would expand to."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_:
            raise _at(file, node, "an alias refers to the value that it is part of")
        if id(node) not in sizes:
            open_.add(id(node))
            sizes[id(node)] = 1 + sum(size(child) for child in _children(node))
            open_.discard(id(node))
        if sizes[id(node)] > _MOST_VALUES:
            raise _at(file, node, f"its aliases expand to more than {_MOST_VALUES} values")
        return sizes[id(node)]

    size(root)


def _refuse_repeated(file: Path, mapping: yaml.MappingNode) -> None:
    seen: dict[str, yaml.Node] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            continue
        if key.value in seen:
            raise _at(file, key, f"{key.value!r} is also in line {seen[key.value].start_mark.line + 1}")
        seen[key.value] = key


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value


def _mappings(node: yaml.Node, seen: set[int]) -> Iterator[yaml.MappingNode]:
    """Every mapping once, inner ones first."""
    if id(node) in seen:
        return
    seen.add(id(node))
    for child in _children(node):
        yield from _mappings(child, seen)
    if isinstance(node, yaml.MappingNode):
        yield node


def _at(file: Path, node: yaml.Node, problem: str) -> UsageError:
    return UsageError(f"{file}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {problem}")


@dataclass(frozen=True)
class Document:
    """Reads YAML nodes of ``file``, so that each complaint knows its line and column."""

    file: Path

    def fail(self, node: yaml.Node, problem: str) -> NoReturn:
        raise _at(self.file, node, problem)

    def mapping(
        self, node: yaml.Node, what: str, known: Sequence[str], beside: Sequence[str] = ()
    ) -> dict[str, yaml.Node]:
        """The values by key, of the ``known`` ones; those ``beside`` may be there too."""
        if not isinstance(node, yaml.MappingNode):
            self.fail(node, f"{what} must be a mapping of {', '.join(known)}")
        values: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in known:
                values[name] = value
            elif name not in beside:
                self.fail(key, unknown_key(what, name, (*known, *beside), known))
        return values

    def text(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            hint = f': write it in quotes, "{node.value}"' if isinstance(node, yaml.ScalarNode) and node.value else ""
            self.fail(node, f"{what} must be text{hint}")
        return str(node.value).strip()

    def path(self, node: yaml.Node, what: str) -> str:
        """An absolute path; relative ones start at the file's folder."""
        written = os.path.expanduser(self.text(node, what))
        return os.path.normpath(os.path.join(self.file.absolute().parent, written)) if written else ""


def unknown_key(what: str, name: str, near: Sequence[str], known: Sequence[str]) -> str:
    """Why ``name`` is no key of ``what``: the nearest of ``near``, or all that are ``known``."""
    if _SECRET.search(name):
        return f"{name!r} would be a secret, and none belongs into this file: log in with a key or an ssh agent"
    close = difflib.get_close_matches(name, near, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
    return f"{what} has no key {name!r}: {hint}"
