"""Headers of qcow2 images, written by qemu-img 7.2."""

from __future__ import annotations

import base64

import pytest
from stackdoctor.checks.storage.disk_headers import corrupt_image

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.qcow2 import DiskImages, parse_header
from stackdoctor.model import Node, NodeResults, Result, Status

PLAIN = base64.b64decode(
    "UUZJ+wAAAAMAAAAAAAAAAAAAAAAAAAAQAAAAAEAAAAAAAAAAAAAAAgAAAAAAAwAAAAAAAAABAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAABAAAAHA="
)
OVERLAY = PLAIN[:8] + (0x210).to_bytes(8, "big") + (0x12).to_bytes(4, "big") + PLAIN[20:]
OLD = b"QFI\xfb" + (2).to_bytes(4, "big") + PLAIN[8:24] + (2 << 30).to_bytes(8, "big") + PLAIN[32:72] + bytes(32)
CORRUPT = PLAIN[:72] + (2).to_bytes(8, "big") + PLAIN[80:]
DIRTY = PLAIN[:72] + (1).to_bytes(8, "big") + PLAIN[80:]
UUID = "0505d6dc-5650-4848-9bae-9cb19f60cb29"


def node(**files: bytes) -> NodeResults:
    paths = {f"/var/lib/nova/instances/{UUID}/{name}": content for name, content in files.items()}
    return NodeResults(
        Node("compute1"),
        {
            ("nova.disk-headers", path): Result("nova.disk-headers", path, path, Status.TRUNCATED, 0, content)
            for path, content in paths.items()
        },
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (PLAIN, (3, 1 << 30, False, False)),
        (OVERLAY, (3, 1 << 30, True, False)),
        (OLD, (2, 2 << 30, False, False)),
        (CORRUPT, (3, 1 << 30, False, True)),
        (DIRTY, (3, 1 << 30, False, False)),
        (b"\xeb\x63\x90" + bytes(101), None),
        (b"", None),
    ],
)
def test_a_header_says_its_version_size_and_whether_it_is_marked_corrupt(data: bytes, said: object) -> None:
    assert parse_header(data) == said


def test_a_header_that_ends_too_early_is_no_header() -> None:
    for length in (4, 20, 71, 75):
        with pytest.raises(ParseError):
            parse_header(PLAIN[:length])


def test_a_corrupt_image_is_found_with_its_instance_and_a_dirty_one_is_not() -> None:
    images = DiskImages.parse(node(disk=CORRUPT, **{"disk.local": DIRTY, "disk.config": bytes(104)}))
    (found,) = corrupt_image(images)

    assert len(images.images) == 2
    assert found.keys["instance"] == UUID
    assert found.keys["path"].endswith("/disk")


def test_an_image_that_cannot_be_read_is_a_gap_and_no_image_is_nothing_to_look_at() -> None:
    denied = node(disk=PLAIN)
    also = {**denied.results, ("nova.disk-headers", "/x"): Result("nova.disk-headers", "/x", "/x", Status.DENIED)}
    assert DiskImages.parse(NodeResults(denied.node, also)).gaps
    missing = Result("nova.disk-headers", "/var/lib/nova/instances/*/disk*", "", Status.MISSING)
    with pytest.raises(NotApplicable):
        DiskImages.parse(NodeResults(denied.node, {("nova.disk-headers", ""): missing}))
