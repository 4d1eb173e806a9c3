"""The report as YAML: the same value as the JSON, by the same schema, for people who would rather read that."""

from __future__ import annotations

import json
from typing import Any

import yaml

from stackdoctor.report.as_json import to_json
from stackdoctor.report.report import Report

__all__ = ["to_yaml"]


class _Dumper(yaml.SafeDumper):
    """Records of several lines stand as they are read, in a block."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # PyYAML falls back to an escaped scalar by itself where a block cannot hold the text
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(report: Report) -> str:
    """``report`` as one YAML document, ASCII only; ``yaml.safe_load`` gives what ``json.loads`` gives of the JSON."""
    value: Any = json.loads(to_json(report))
    written: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=120)
    return written
