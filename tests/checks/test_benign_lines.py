"""Lines that every cloud writes and that mean nothing: none may become a warning or a diagnosis."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackdoctor.facts.log_sources import LOG_SOURCES
from stackdoctor.snapshot.log_names import source_of

NOW = 1795366000.0
STORIES = yaml.safe_load((Path(__file__).parent / "benign_lines.yaml").read_text())
STAMPED = re.compile(r"=|\d{4}-|[A-Z][a-z]{2} \d\d |type=")


def scan(story: Mapping[str, Any], signatures: tuple[Any, ...]) -> str:
    """What the log scan of a node makes of the story."""
    source = source_of(story["path"], LOG_SOURCES)
    assert source is not None, f"nobody reads {story['path']}"
    service = source.service
    hits: dict[tuple[str, str], dict[str, Any]] = {}
    for record in story["records"]:
        text, when = record["text"], NOW - record["age"]
        if not STAMPED.match(text):
            text = f"2026-11-22 16:46:40.000 2707 {text}"
        for signature in signatures:
            if not any(fnmatchcase(service, glob) for glob in signature.services):
                continue
            keys = signature.match(text)
            if keys is None:
                continue
            new = {"signature": signature.id, "service": service, "path": story["path"], "keys": keys, "count": 0}
            new |= {"first": when, "minutes": {}, "samples": []}
            hit = hits.setdefault((signature.id, json.dumps(keys, sort_keys=True)), new)
            hit["count"] += 1
            hit["last"] = when
            hit["samples"].append({"time": when, "line": 1, "offset": 0, "text": text})
    return json.dumps({"since": NOW - 3600, "until": NOW, "grep": "gnu", "files": [], "hits": list(hits.values())})


@pytest.mark.parametrize("story", STORIES, ids=lambda story: f"{story['why']} ({story['source']})")
def test_a_benign_line_is_neither_a_warning_nor_a_diagnosis(look, knowledge, story) -> None:
    seen = look(controller={"logs.hits": scan(story, knowledge.signatures)})
    assert [(f.id, str(f.severity), f.keys.get("state")) for f in seen.every if f.severity >= 1] == []
    assert seen.causes == []


def test_most_of_the_lines_are_known_and_judged_rather_than_overlooked(knowledge) -> None:
    unknown = [story["why"] for story in STORIES if '"signature"' not in scan(story, knowledge.signatures)]
    assert len(unknown) <= 5, unknown
