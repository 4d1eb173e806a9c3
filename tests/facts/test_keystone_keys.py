"""Key repositories as ls of coreutils 9.1 lists them."""

from __future__ import annotations

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.keystone_keys import FERNET_KEYS, FernetKeys

MISSING = "ls: cannot access '/var/lib/docker/volumes/keystone_fernet_tokens/_data': No such file or directory\n"
LISTED = "/etc/keystone/fernet-keys:\ntotal 8\n-rw------- 1 64061 64061 44 1795365000 0\n"
LISTED += "-rw------- 1 64061 64061 44 1795364000 1\n"


def test_keys_are_their_numbers_and_their_times(answer, answered_node) -> None:
    found = FernetKeys.parse(answered_node(answer(FERNET_KEYS, LISTED, exit=2, error=MISSING)))
    assert (found.keys.numbers, found.keys.primary, found.rotated) == (frozenset((0, 1)), 1, 1000.0)
    assert found.evidence.line == "keys 0 1"


def test_a_repository_without_keys_is_empty(answer, answered_node) -> None:
    found = FernetKeys.parse(
        answered_node(answer(FERNET_KEYS, LISTED.split("\n")[0] + "\ntotal 0\n", exit=2, error=MISSING))
    )
    assert (found.keys.numbers, found.keys.primary, found.rotated) == (frozenset(), None, None)


def test_a_node_without_a_repository_has_none(answer, answered_node) -> None:
    with pytest.raises(NotApplicable):
        FernetKeys.parse(answered_node(answer(FERNET_KEYS, exit=2, error=MISSING)))


def test_a_folder_that_may_not_be_listed_is_told(answer, answered_node) -> None:
    said = "ls: cannot open directory '/etc/keystone/fernet-keys': Permission denied\n"
    with pytest.raises(CouldNotCheck, match="Permission denied"):
        FernetKeys.parse(answered_node(answer(FERNET_KEYS, "/etc/keystone/fernet-keys:\n", exit=2, error=said)))


@pytest.mark.parametrize("line", ["-rw------- 1 1 2 44 yesterday 3", "key 3 there"])
def test_another_form_of_list_is_refused(answer, answered_node, line) -> None:
    with pytest.raises(ParseError):
        FernetKeys.parse(answered_node(answer(FERNET_KEYS, line + "\n")))
