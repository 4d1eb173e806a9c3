"""Real text of swift 2.38.3: recon's cache after a pass with one drive unmounted."""

import pytest

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.swift import CONFIG, FSTAB, LISTING, MOUNTS, RECON, RINGS, SwiftDrives, SwiftRecon, SwiftRings
from stackdoctor.model import Status

CACHE = (
    '{"object_replication_last": 1795384782.880591, "object_replication_time": 2.3984909057617186e-05, '
    '"replication_last": 1795384782.880591, "replication_stats": {"attempted": 0, "failure": 2, "failure_nodes": '
    '{"127.0.0.1": {"sdb1": 1, "sdc1": 1}}, "hashmatch": 0, "success": 0}, "replication_time": 2.3984909057617186e-05}'
)
LISTED = "total 8\ndrwxr-xr-x 2 root root 4096 Nov 22 21:59 sdb1\ndrwxr-xr-x 2 root root 4096 Nov 22 21:59 sdc1\n"
OBJECT = "/etc/swift/object-server.conf"


def test_recon_s_cache_says_when_the_last_pass_ended(answer, answered_node) -> None:
    found = SwiftRecon.parse(answered_node(answer(RECON, CACHE, "/var/cache/swift/object.recon")))
    assert found.replicated("object") == 1795384782.880591
    assert found.replicated("container") is None
    assert found.drive_errors == 0
    with pytest.raises(ParseError):
        SwiftRecon.parse(answered_node(answer(RECON, "{", "/var/cache/swift/object.recon")))


def test_drives_are_told_by_mounts_and_fstab(answer, answered_node) -> None:
    found = SwiftDrives.parse(
        answered_node(
            answer(CONFIG, "[DEFAULT]\nmount_check = false\n", OBJECT),
            answer(LISTING, LISTED),
            answer(MOUNTS, "/dev/sdb1 /srv/node/sdb1 xfs rw 0 0\n", "/proc/mounts"),
            answer(FSTAB, "# x\nLABEL=c /srv/node/sdc1/ xfs noatime 0 0\n", "/etc/fstab"),
        )
    )
    assert [(d.name, d.mounted, d.expected) for d in found.rows] == [("sdb1", True, False), ("sdc1", False, True)]
    assert not found.mount_check


def test_drives_elsewhere_are_not_judged(answer, answered_node) -> None:
    with pytest.raises(CouldNotCheck, match="/mnt/drives"):
        SwiftDrives.parse(answered_node(answer(CONFIG, "[DEFAULT]\ndevices = /mnt/drives\n", OBJECT)))
    with pytest.raises(NotApplicable):
        SwiftDrives.parse(answered_node(answer(CONFIG, status=Status.MISSING)))


def test_rings_are_known_by_their_sums(answer, answered_node) -> None:
    line = "924d6b393fa9cc51908ed65abc3a56b5  /etc/swift/object.ring.gz\n"
    found = SwiftRings.parse(answered_node(answer(RINGS, line, "object.ring.gz")))
    assert dict(found.sums) == {"object.ring.gz": "924d6b393fa9cc51908ed65abc3a56b5"}
    with pytest.raises(ParseError):
        SwiftRings.parse(answered_node(answer(RINGS, "what?\n", "object.ring.gz")))
    nothing = answer(RINGS, exit=2, error="ls: cannot access '/etc/swift': No such file or directory\n")
    with pytest.raises(NotApplicable):
        SwiftRings.parse(answered_node(nothing))
