"""Disks of guests in files, and volumes of two guests."""

import pytest

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
GUEST = "0505d6dc-5650-4848-9bae-9cb19f60cb29"
SECOND = "fdcce5e0-9950-47f5-9e85-1d94c8730485"
BASE = "b564319d35c467a360d66ad244ce247a4aab7c12"
OVERLAY = f"""\
<domain type='qemu' id='1'><name>instance-00000001</name><uuid>{GUEST}</uuid><devices>
<disk type='file' device='disk'><source file='/var/lib/nova/instances/{GUEST}/disk' index='1'/>
<backingStore type='file' index='2'><format type='raw'/>
<source file='/var/lib/nova/instances/_base/{BASE}'/><backingStore/></backingStore>
<target dev='vda' bus='virtio'/></disk></devices></domain>
"""
WITH_VOLUME = f"""\
<domain type='qemu' id='1'><name>{{0}}</name><uuid>{{1}}</uuid><devices><disk type='network' device='disk'>
<source protocol='rbd' name='volumes/volume-{VOLUME}'><host name='192.0.2.1' port='6789'/></source>
<target dev='vdb'/><serial>{VOLUME}</serial>{{2}}</disk></devices></domain>
"""
LISTED = """\
/var/lib/nova/instances:
total 8
drwxr-xr-x 2 nova nova 4096 Nov 22 21:45 {0}
drwxr-xr-x 2 nova nova 4096 Nov 22 18:39 _base

/var/lib/nova/instances/_base:
total 31804
-rw-r--r-- 1 nova nova 1591194 Nov 22 21:51 4ec366f5e18566575a34670385b58b2c740c0bc9
{1}
"""
IMAGE = f"-rw-r--r-- 1 root root {{0}} Nov 22 21:51 {BASE}"


def list_of(*rows: tuple[str, str]) -> str:
    lines = [f" {number}    {name}   {state}" for number, (name, state) in enumerate(rows, 1)]
    return " Id   Name                State\n-------\n" + "\n".join(lines) + "\n\n"


@pytest.mark.parametrize(
    ("folder", "image", "path"),
    [
        (GUEST, IMAGE.format(16777216), None),
        (GUEST, "", f"/var/lib/nova/instances/_base/{BASE}"),
        (GUEST, IMAGE.format(0), f"/var/lib/nova/instances/_base/{BASE}"),
        (SECOND, IMAGE.format(16777216), f"/var/lib/nova/instances/{GUEST}/disk"),
    ],
)
def test_a_disk_without_its_file_or_its_image_is_the_cause(look, folder, image, path) -> None:
    seen = look(
        compute={
            "libvirt.list": list_of(("instance-00000001", "running")),
            "libvirt.dumpxml instance-00000001": OVERLAY,
            "nova.instances": LISTED.format(folder, image),
        }
    )
    found = seen.findings.get("libvirt.disk.backing-missing")
    assert (found.keys["path"] if found else None) == path
    assert seen.causes == ([("image-backing-missing", "compute1")] if path else [])


def two(second: str, state: str = "running", more: str = "") -> dict[str, str]:
    return {
        "libvirt.list": list_of(("instance-00000001", "running"), ("instance-00000002", state)),
        "libvirt.dumpxml instance-00000001": WITH_VOLUME.format("instance-00000001", GUEST, more),
        "libvirt.dumpxml instance-00000002": WITH_VOLUME.format("instance-00000002", second, more),
    }


def test_a_volume_of_two_guests_that_run_is_written_to_by_both(look) -> None:
    seen = look(compute=two(SECOND))
    assert seen.findings["volume.attached.twice"].keys["volume"] == VOLUME
    assert seen.causes == [("volume-stuck-attachment", "compute1")]


@pytest.mark.parametrize(
    ("second", "state", "more"),
    [(SECOND, "running", "<shareable/>"), (SECOND, "shut off", ""), (GUEST, "paused", "")],
    ids=["multi-attach", "shut off", "being migrated"],
)
def test_a_shared_volume_a_guest_that_is_off_and_one_that_migrates_are_as_they_should_be(
    look, second, state, more
) -> None:
    seen = look(compute=two(second, state, more))
    assert "volume.attached.twice" not in seen.findings
    assert seen.causes == []
