import pytest

from stackdoctor.diagnose.correlate import correlate
from stackdoctor.diagnose.runner import Examination
from stackdoctor.model import Finding

NO_HOST = Finding("nova-conductor", "no host", node="controller", id="log.nova-no-valid-host", service="nova-conductor")
NO_ROOM = Finding("nova-scheduler", "no room", node="controller", id="log.nova-no-alloc-candidates")
FILTER = Finding("nova-scheduler", "none left", node="controller", id="log.nova-filter-zero", filter="RamFilter")
COMPUTE_FILTER = Finding(
    "nova-scheduler", "none up", node="controller", id="log.nova-filter-zero", filter="ComputeFilter"
)
STOPPED = Finding("nova-compute", "dead", node="compute1", id="service.down", service="nova-compute", host="compute1")


@pytest.mark.parametrize(
    ("findings", "named"),
    [
        ((NO_HOST, NO_ROOM), True),
        ((NO_HOST, FILTER), True),
        ((NO_HOST,), False),
        ((NO_HOST, COMPUTE_FILTER), False),
        ((NO_HOST, NO_ROOM, STOPPED), False),
    ],
)
def test_no_room_is_the_cause_only_where_the_hosts_are_there(knowledge, findings, named) -> None:
    found = correlate(knowledge.playbooks, Examination(findings, (), frozenset()))
    assert ("nova-capacity-filters" in {d.cause for d in found.diagnoses}) is named
