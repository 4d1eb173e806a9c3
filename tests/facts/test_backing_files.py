"""Answers of tgtd 1.0.85 and GNU ls."""

import re

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.backing_files import BACKING_FILES, BackingFiles
from stackdoctor.facts.tgt import TGT_TARGETS
from stackdoctor.model import Status

PATH = "/var/lib/volumes/volume-d081b393-4a68-4b3a-81c1-e24a9033d57c"


def test_a_file_has_its_size_and_a_deleted_one_none(answer, answered_node) -> None:
    line = f"-rw-r--r-- 1 root root 67108864 Nov 22 21:56 {PATH}\n"
    there = BackingFiles.parse(answered_node(answer(BACKING_FILES, line, subject=PATH)))
    assert there.files[PATH].size == 67108864
    error = f"ls: cannot access '{PATH}': No such file or directory"
    gone = BackingFiles.parse(answered_node(answer(BACKING_FILES, subject=PATH, exit=2, error=error)))
    assert gone.files[PATH].size is None
    denied = error.replace("No such file or directory", "Permission denied")
    assert BackingFiles.parse(answered_node(answer(BACKING_FILES, subject=PATH, exit=2, error=denied))).files == {}


def test_only_what_is_no_device_is_asked_for() -> None:
    assert BACKING_FILES.each is not None
    pattern = re.compile(BACKING_FILES.each.pattern)
    assert pattern.search(f"            Backing store path: {PATH}")
    assert not pattern.search("            Backing store path: /dev/cinder-volumes/volume-1")
    assert not pattern.search("            Backing store path: None")


def test_a_tgtd_that_is_down_has_no_files_and_one_that_was_not_asked_is_told(answer, answered_node) -> None:
    skipped = answer(BACKING_FILES, status=Status.NOT_RUN)
    with pytest.raises(NotApplicable):
        BackingFiles.parse(answered_node(skipped, answer(TGT_TARGETS, exit=107, error="tgtadm: failed to send")))
    with pytest.raises(CouldNotCheck):
        BackingFiles.parse(answered_node(skipped, answer(TGT_TARGETS)))
