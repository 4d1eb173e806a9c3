from __future__ import annotations

import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.disks import Disks, Inodes
from stackdoctor.model import Node, NodeResults, Result, Status

DF = """Filesystem     1024-blocks     Used Available Capacity Mounted on
lab-controller   264212084 32453624  73937288      31% /
tmpfs                 2048        0      2048       0% /dev
tmpfs               262144      104    262040       1% /run
"""
TYPED = """Filesystem                 Type     1024-blocks      Used Available Capacity Mounted on
udev                       devtmpfs     8123456         0   8123456       0% /dev
/dev/mapper/vg-root        ext4        51175540  51175540         0     100% /
/dev/mapper/vg-nova        xfs       1048064000  99999999 948064001      10% /var/lib/nova
//nas/my share             cifs         1000000    400000    600000      40% /mnt/with a space
/dev/loop0                 squashfs       65536     65536         0     100% /snap/core20/1974
overlay                    overlay     51175540  51175540         0     100% /var/lib/docker/overlay2/ab/merged
/dev/vdb                   btrfs       10485760   1000000         -        - /srv
"""
INODES = """Filesystem       Inodes  IUsed    IFree IUse% Mounted on
lab-controller 16777216 857428 15919788    6% /
/dev/vdb              0      0        0     - /srv
"""


def answered(fact: type[Disks | Inodes], text: str, **more: object) -> NodeResults:
    (probe,) = fact.probes
    result = Result(probe.id, "df", stdout=text.encode(), **more)  # type: ignore[arg-type]
    return NodeResults(Node("controller"), {(probe.id, ""): result})


def test_sizes_are_in_bytes_and_the_root_is_found() -> None:
    disks = Disks.parse(answered(Disks, DF))
    root = disks.of("/var/lib/nova/instances")
    assert root is not None
    assert (root.mount, root.source, root.percent) == ("/", "lab-controller", 31)
    assert (root.size, root.used, root.available) == (264212084 * 1024, 32453624 * 1024, 73937288 * 1024)
    assert root.fills
    assert root.evidence.line == "lab-controller   264212084 32453624  73937288      31% /"


def test_the_file_system_of_a_path_is_the_nearest_mount_point() -> None:
    disks = Disks.parse(answered(Disks, TYPED))
    assert str(disks.of("/var/lib/nova/instances/x")) == "/var/lib/nova"
    assert str(disks.of("/var/lib/novalike")) == "/"


def test_images_and_views_of_containers_do_not_fill_up() -> None:
    disks = Disks.parse(answered(Disks, TYPED))
    assert [disk.mount for disk in disks if disk.fills] == ["/", "/var/lib/nova", "/mnt/with a space", "/srv"]


def test_an_image_is_known_by_its_mount_point_where_df_does_not_say_the_type() -> None:
    (image,) = Disks.parse(answered(Disks, DF.splitlines()[0] + "\n/dev/loop0 65536 65536 0 100% /snap/core20/1974\n"))
    assert (image.percent, image.fills) == (100, False)


def test_names_with_spaces_are_read_whole() -> None:
    share = Disks.parse(answered(Disks, TYPED)).of("/mnt/with a space/file")
    assert share is not None
    assert (share.source, share.kind, share.percent) == ("//nas/my share", "cifs", 40)


def test_one_file_system_that_cannot_be_read_does_not_hide_the_others() -> None:
    disks = Disks.parse(answered(Disks, DF, exit=1, stderr=b"df: /mnt/images: Stale file handle\n"))
    assert len(disks.rows) == 3
    assert disks.unread == ("/mnt/images: Stale file handle",)


def test_inodes_are_read_and_a_file_system_may_have_none_to_count() -> None:
    root, other = Inodes.parse(answered(Inodes, INODES))
    assert (root.total, root.used, root.free, root.percent) == (16777216, 857428, 15919788, 6)
    assert root.fills
    assert (other.percent, other.fills) == (None, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Dateisystem 1024-Blöcke Benutzt Verfügbar Kapazität Eingehängt auf\n",
        DF.splitlines()[0] + "\n/dev/sda1 1 2 3\n",
        DF.splitlines()[0] + "\n/dev/sda1 1 2 x 3% /\n",
    ],
)
def test_another_format_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Disks.parse(answered(Disks, text))


def test_what_was_cut_or_failed_is_not_read() -> None:
    with pytest.raises(CouldNotCheck, match="cut"):
        Disks.parse(answered(Disks, DF, status=Status.TRUNCATED))
    with pytest.raises(CouldNotCheck, match="no file systems"):
        Disks.parse(answered(Disks, "", exit=1, stderr=b"df: no file systems processed\n"))
