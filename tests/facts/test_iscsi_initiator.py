import pytest

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.iscsi_initiator import INITIATOR_NAME, InitiatorName
from stackdoctor.model import Status

WRITTEN = """\
## DO NOT EDIT OR REMOVE THIS FILE!
## If you remove this file, the iSCSI daemon will not start.
## for each iSCSI initiator.  Do NOT duplicate iSCSI InitiatorNames.
InitiatorName=iqn.1993-08.org.debian:01:bfa7c42b8baf
"""


def test_the_name_is_read_from_among_the_comments(answer, answered_node) -> None:
    found = InitiatorName.parse(answered_node(answer(INITIATOR_NAME, WRITTEN)))
    assert found.name == "iqn.1993-08.org.debian:01:bfa7c42b8baf"
    assert found.evidence.line == "InitiatorName=iqn.1993-08.org.debian:01:bfa7c42b8baf"


def test_a_host_without_open_iscsi_or_one_that_was_not_started_yet_has_no_name(answer, answered_node) -> None:
    with pytest.raises(NotApplicable):
        InitiatorName.parse(answered_node(answer(INITIATOR_NAME, status=Status.MISSING)))
    with pytest.raises(ParseError):
        InitiatorName.parse(answered_node(answer(INITIATOR_NAME, "GenerateName=yes\n")))
