"""What globs find on a node: the same as glob.glob, for less."""

from __future__ import annotations

import glob
import os
from itertools import product
from pathlib import Path

import pytest

from stackdoctor.collect.agent import globs

NAMES = ("a", "ab", "b-1.conf", "b-2.conf", ".b", "b[1]", "python3", "nova-1.0.egg-info", "nova-x.egg-info")
PIECES = (
    "a",
    "*",
    "a*",
    "*.conf",
    "b-?.conf",
    "b-[0-9].conf",
    "[!a]*",
    ".*",
    "?",
    "nova-[0-9]*.egg-info",
    "none*",
    "b*f",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for above, below in product(NAMES, NAMES):
        (tmp_path / above).mkdir(exist_ok=True)
        (tmp_path / above / below).touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").touch()
    for kept in (globs.found_by, globs.state, globs.names_in):
        kept.cache_clear()
    return tmp_path


@pytest.mark.parametrize("pattern", [*PIECES, *("/".join(pair) for pair in product(PIECES, PIECES)), "link", "file/x"])
def test_the_paths_are_those_of_glob(tree: Path, pattern: str) -> None:
    assert globs.found_by(f"{tree}/{pattern}") == tuple(sorted(glob.glob(f"{tree}/{pattern}")))


def test_two_asterisks_are_any_number_of_folders(tree: Path) -> None:
    (tree / "a" / "deep" / "er").mkdir(parents=True)
    (tree / "a" / "deep" / "er" / "x.conf").touch()
    assert globs.found_by(f"{tree}/**/x.conf") == (f"{tree}/a/deep/er/x.conf",)


def test_what_is_below_a_folder_that_is_not_there_is_not_looked_for(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(os, "stat", lambda path, real=os.stat: asked.append(path) or real(path))
    for service in ("nova", "cinder"):
        assert globs.found_by(f"{tree}/none/{service}/*.conf") == ()
        assert not globs.closed(f"{tree}/none/{service}/etc/x.conf")
    assert [path for path in asked if path.startswith(f"{tree}/")] == [f"{tree}/none"]
