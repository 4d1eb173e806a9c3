"""The parser of the YAML that playbooks, symptoms and log signatures are written in."""

from __future__ import annotations

from typing import Any

import yaml

from stackdoctor.errors import UsageError
from stackdoctor.facts.parsed import Parsed

__all__ = ["parse_yaml"]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML was built with it: ten times as fast, which a hundred playbooks make felt."""


class PlainWords(_Loader):  # type: ignore[misc]
    """YAML in which `on`, `yes` and their like are words and not truth values, as in YAML 1.2."""


PlainWords.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str, origin: str) -> Parsed:
    """``text`` as data; raises UsageError that names file, line and column in ``origin`` where it is not YAML."""
    try:
        loader = PlainWords(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return Parsed(None, [], [])
            mappings = root.value if isinstance(root, yaml.SequenceNode) else [root]
            starts = [mapping.start_mark.line + 1 for mapping in mappings]
            fields = [_fields(mapping, origin) for mapping in mappings]
            return Parsed(loader.construct_document(root), starts, fields)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{origin}:{mark.line + 1}:{mark.column + 1}" if mark else origin
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UsageError(f"{place}: is not YAML: {problem}") from None
    except (ValueError, KeyError, AttributeError, RecursionError) as error:  # of PyYAML: `2026-13-45`, `!!bool x`
        raise UsageError(f"{origin}: is not YAML: {error}") from None


def _fields(mapping: yaml.Node, origin: str) -> dict[str, int]:
    """The lines of the fields of ``mapping``; one that is written twice would hide the other."""
    lines: dict[str, int] = {}
    for key, _ in mapping.value if isinstance(mapping, yaml.MappingNode) else ():
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value in lines:
            raise UsageError(f"{origin}:{line}: the field {key.value} is there twice")
        lines[key.value] = line
    return lines
