"""The strict loader of log signatures, which are data: ``checks/logs/*.yaml``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stackdoctor.errors import UsageError
from stackdoctor.facts.ere import nested_repeat, to_ere
from stackdoctor.facts.parsed import read_yaml
from stackdoctor.facts.signature import Benign, Example, Signature, names_in, to_pattern
from stackdoctor.model import Severity

__all__ = ["Benign", "Example", "Signature", "load_signatures", "to_pattern"]

_FIELDS = {
    "id": str,
    "services": list,
    "severity": str,
    "regex": str,
    "message": str,
    "explain": str,
    "by": list,
    "also": list,
    "keys": dict,
    "recovered_by": list,
    "finding": bool,
    "benign": list,
    "examples": dict,
}
_NEEDED = ("id", "services", "severity", "regex", "message", "explain", "examples")
_TAKEN = frozenset(("subject", "message", "node", "id", "severity", "evidence", "first", "last", "count"))
_ALWAYS = frozenset(("service", "node", "count"))
_KINDS = {str: "text", list: "a list", dict: "a mapping", bool: "true or false"}


def load_signatures(paths: Iterable[Path | str], proven: Container[Path] = ()) -> tuple[Signature, ...]:
    """The signatures of all files, in order; a folder stands for its ``*.yaml``.

    Raises UsageError, with file and line, for what cannot be read, is not known or contradicts itself.  Regular
    expressions and examples of ``proven`` files are not tried again: tests do that once and for all.
    """
    loaded: dict[str, Signature] = {}
    for path in _files(paths):
        for signature in _read(path, examined=path not in proven):
            if signature.id in loaded:
                raise UsageError(
                    f"{signature.source}: {signature.id} is already defined in {loaded[signature.id].source}"
                )
            loaded[signature.id] = signature
    for signature in loaded.values():
        for other in signature.recovered_by:
            if other not in loaded:
                raise UsageError(
                    f"{signature.source}: recovered_by: no signature is called {other}{_near(other, loaded)}"
                )
    return tuple(loaded.values())


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _files(paths: Iterable[Path | str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(path.glob("*.yaml"))
        else:
            yield path


def _read(path: Path, examined: bool) -> Iterator[Signature]:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text") from None
    parsed = read_yaml(text, str(path))
    entries = [] if parsed.data is None else parsed.data
    if not isinstance(entries, list):
        raise UsageError(f"{path}:1: must be a list of signatures: - id: ...")
    for entry, start, lines in zip(entries, parsed.starts, parsed.fields, strict=True):
        written = _Entry(path, entry, start, lines)
        signature = written.signature()
        if examined:
            written.examine(signature)
        yield signature


class _Entry:
    """One signature while it is read: its values, and the lines that they stand on."""

    def __init__(self, path: Path, values: Any, start: int, lines: Mapping[str, int]) -> None:
        self.path = path
        self.start = start
        self.lines = lines
        if not isinstance(values, dict):
            raise UsageError(f"{path}:{self.start}: must be a mapping with the fields {', '.join(_NEEDED)}")
        self.values: dict[str, Any] = values

    def wrong(self, field: str, what: str) -> UsageError:
        return UsageError(f"{self.path}:{self.lines.get(field, self.start)}: {field}: {what}")

    def signature(self) -> Signature:
        """What stands there, in its form; ``examine`` says whether it makes sense."""
        for name, value in self.values.items():
            kind = _FIELDS.get(str(name))
            if kind is None:
                raise self.wrong(str(name), f"no such field{_near(str(name), _FIELDS)}")
            if not isinstance(value, kind):
                raise self.wrong(str(name), f"must be {_KINDS[kind]}, and is {value!r}")
        for name in _NEEDED:
            if not self.values.get(name):
                raise UsageError(f"{self.path}:{self.start}: the field {name} is missing or empty")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.values["id"]):
            raise self.wrong("id", f"{self.values['id']!r} must be lower case words joined by -")
        return Signature(
            id=self.values["id"],
            services=self.texts("services"),
            severity=self.severity(),
            regex=self.values["regex"],
            message=" ".join(self.values["message"].split()),
            explain=self.values["explain"].strip(),
            by=self.texts("by"),
            also=tuple(self.also()),
            keys=tuple((str(key), str(value)) for key, value in self.values.get("keys", {}).items()),
            recovered_by=self.texts("recovered_by"),
            finding=self.values.get("finding", True),
            benign=tuple(self.benign()),
            examples=tuple(self.examples()),
            source=f"{self.path}:{self.start}",
        )

    def examine(self, signature: Signature) -> None:
        """Refuse expressions that do not compile or do harm, names that nothing gives, examples that do not match."""
        groups = self.compiled("regex", signature.regex).groupindex
        try:
            to_ere(signature.regex)
        except ValueError as error:
            raise self.wrong("regex", str(error)) from None
        for name in signature.by:
            if name not in groups:
                raise self.wrong("by", f"{name} is not a named group of regex{_near(name, groups)}")
        for regex, added in signature.also:
            self.known("also", (n for _, v in added for n in names_in(v)), self.compiled("also", regex).groupindex)
        read = {*signature.by, *(key for _, added in signature.also for key, _ in added)}
        used = [name for _, value in signature.keys for name in names_in(value)]
        self.known("keys", used, read)
        final = read.difference(used) | {key for key, _ in signature.keys}
        if taken := ", ".join(sorted(final & _TAKEN)):
            raise self.wrong("keys", f"{taken}: every finding has that of its own, so no key can be called so")
        final |= _ALWAYS
        self.known("message", names_in(signature.message), final)
        for benign in signature.benign:
            self.known("benign", (key for key, _ in benign.when), final)
            for _, regex in benign.when:
                self.compiled("benign", regex)
        for example in signature.examples:
            got = signature.match(example.text)
            if got is None:
                raise self.wrong("examples", f"{example.era}: no line of it matches regex")
            if example.keys is not None and dict(example.keys) != signature.finding_keys(got):
                raise self.wrong("examples", f"{example.era}: gives {signature.finding_keys(got)}, not {example.keys}")

    def compiled(self, field: str, regex: str) -> re.Pattern[str]:
        if not regex.isascii():
            raise self.wrong(field, f"{regex!r} must be ASCII, for nodes search in bytes")
        try:
            compiled = re.compile(regex, re.ASCII)
        except (re.error, ValueError, OverflowError, RecursionError) as error:
            raise self.wrong(field, f"{regex!r} does not compile: {error}") from None
        if nested_repeat(regex):
            raise self.wrong(field, f"{regex!r} repeats a repeat, which hostile text can make take for ever")
        return compiled

    def texts(self, field: str) -> tuple[str, ...]:
        found = self.values.get(field, [])
        if not all(isinstance(text, str) and text for text in found):
            raise self.wrong(field, "must be a list of texts")
        return tuple(found)

    def severity(self) -> Severity:
        name = self.values["severity"]
        if name not in map(str, Severity):
            raise self.wrong("severity", f"{name!r} is none of {', '.join(map(str, Severity))}")
        return Severity[name.upper()]

    def also(self) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
        for item in self.values.get("also", []):
            match item:
                case {"regex": str(regex), "keys": dict(keys), **rest} if not rest and keys:
                    yield regex, tuple((str(key), str(value)) for key, value in keys.items())
                case _:
                    raise self.wrong("also", "must be a list of {regex: ..., keys: {key: value}}")

    def benign(self) -> Iterator[Benign]:
        for item in self.values.get("benign", []):
            match item:
                case str(why):
                    yield Benign(why)
                case {"why": str(why), **rest} if rest and not rest.keys() - {"when", "at_most"}:
                    when, at_most = rest.get("when", {}), rest.get("at_most", 0)
                    if not isinstance(when, dict) or not isinstance(at_most, int):
                        raise self.wrong("benign", "when must be {key: regex}, and at_most a number")
                    yield Benign(why, tuple((str(key), str(regex)) for key, regex in when.items()), at_most)
                case _:
                    raise self.wrong(
                        "benign", "must be a list of texts, or of {why: ..., when: {key: regex}, at_most: n}"
                    )

    def examples(self) -> Iterator[Example]:
        for era, value in self.values["examples"].items():
            match value:
                case str(text):
                    yield Example(str(era), text.rstrip("\n"))
                case {"text": str(text), "keys": dict(keys), **rest} if not rest:
                    yield Example(str(era), text.rstrip("\n"), {str(k): str(v) for k, v in keys.items()})
                case _:
                    raise self.wrong("examples", f"{era}: must be a text, or {{text: ..., keys: {{key: value}}}}")

    def known(self, field: str, names: Iterable[str], known: Iterable[str]) -> None:
        there = set(known)
        for name in names:
            if name not in there:
                raise self.wrong(field, f"{{{name}}} is not known{_near(name, there)}")
