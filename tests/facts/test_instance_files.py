import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.instance_files import INSTANCE_FILES, InstanceFiles
from stackdoctor.model import Status

GUEST = "0505d6dc-5650-4848-9bae-9cb19f60cb29"
BASE = "b564319d35c467a360d66ad244ce247a4aab7c12"
PRINTED = f"""\
{{0}}:
total 36
drwxr-xr-x 2 nova nova  4096 Nov 22 21:45 {GUEST}
drwxr-xr-x 2 nova nova  4096 Nov 22 18:39 _base
-rw-r--r-- 1 nova nova    32 Nov 22 21:22 compute_nodes

{{0}}/_base:
total 31804
-rw-r--r-- 1 root root 16777216 Nov 22 21:51 {BASE}
"""
NO_KOLLA = "ls: cannot access '/var/lib/docker/volumes/nova_compute/_data/instances': No such file or directory"


@pytest.mark.parametrize("place", ["/var/lib/nova/instances", "/var/lib/docker/volumes/nova_compute/_data/instances"])
def test_guests_folders_and_cached_images_are_listed_wherever_they_lie(answer, answered_node, place) -> None:
    found = InstanceFiles.parse(answered_node(answer(INSTANCE_FILES, PRINTED.format(place), exit=2, error=NO_KOLLA)))
    assert GUEST in found.folders
    assert "compute_nodes" not in found.folders
    assert found.base == {BASE: 16777216}


def test_a_host_without_guests_has_no_such_fact(answer, answered_node) -> None:
    with pytest.raises(NotApplicable):
        InstanceFiles.parse(answered_node(answer(INSTANCE_FILES, exit=2, error=NO_KOLLA)))


def test_a_folder_that_may_not_be_read_is_no_empty_one(answer, answered_node) -> None:
    denied = "ls: cannot open directory '/var/lib/nova/instances/_base': Permission denied"
    for result in (
        answer(INSTANCE_FILES, PRINTED.format("/var/lib/nova/instances"), exit=2, error=denied),
        answer(INSTANCE_FILES, status=Status.TIMED_OUT),
    ):
        with pytest.raises(CouldNotCheck):
            InstanceFiles.parse(answered_node(result))
