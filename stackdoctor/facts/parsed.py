"""The YAML of playbooks, symptoms and log signatures as data: parsed when the wheel was built, or else now.

A text is found by its digest, so one that was changed, added or never in a wheel is parsed as it stands.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["FILE", "Parsed", "as_json", "read_yaml"]

FILE = Path(__file__).with_name("parsed.json")
"""What setup.py lays into a wheel, and nothing else writes: parsed texts by the SHA-256 of the text."""


@dataclass(frozen=True)
class Parsed:
    """``data`` are the values, which nobody may change: they are kept.

    ``starts`` are the lines on which the mappings begin that the text is (a list of them, or one), and ``fields`` the
    lines of the fields of each.
    """

    data: Any
    starts: list[int]
    fields: list[dict[str, int]]


def read_yaml(text: str, origin: str) -> Parsed:
    """``text`` as data; raises UsageError that names file, line and column in ``origin`` where it is not YAML."""
    if found := _built(FILE).get(_digest(text)):
        return Parsed(**found)
    from stackdoctor.facts.plain_yaml import parse_yaml  # PyYAML takes longer to import than all of a wheel's to read

    return parse_yaml(text, origin)


def as_json(files: Iterable[Path]) -> str:
    """What FILE is to hold of ``files``; leaves out those whose values JSON does not give back as they are.

    Raises UsageError for one that is not YAML.
    """
    from stackdoctor.facts.plain_yaml import parse_yaml

    kept = {}
    for file in files:
        text = file.read_text(encoding="utf-8")
        parsed = asdict(parse_yaml(text, str(file)))
        if _survives(parsed):
            kept[_digest(text)] = parsed
    return json.dumps(dict(sorted(kept.items())))


@functools.cache
def _built(file: Path) -> Mapping[str, Any]:
    try:
        return dict(json.loads(file.read_bytes()))
    except (OSError, ValueError):
        return {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _survives(value: Any) -> bool:
    """Whether JSON gives ``value`` back with the same types (dates, keys that are numbers) and in the same order."""
    try:
        return repr(json.loads(json.dumps(value))) == repr(value)
    except (TypeError, ValueError):
        return False
