"""Lines of GNU ls 9.1, of one with SELinux's dot, with --time-style in TIME_STYLE, and of devices."""

import pytest

from stackdoctor.facts.listing import Entry, entry_of, listings

PRINTED = """\
/var/lib/nova/instances:
total 12
drwxr-xr-x 2 nova nova 4096 Nov 22 21:45 0505d6dc-5650-4848-9bae-9cb19f60cb29
-rw-r--r-- 1 nova nova   32 Nov 22 21:22 compute_nodes

/var/lib/nova/instances/_base:
total 31804
-rw-r--r-- 1 nova nova  1591194 Nov 22 21:51 4ec366f5e18566575a34670385b58b2c740c0bc9
"""


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("-rw-r--r--. 1 root root 0 Jan  2  2025 a b", Entry("-", 0, "a b")),
        ("drwxrwxrwt+ 9 root root 220 2026-11-22 21:51:02.123456789 +0100 x", Entry("d", 220, "x")),
        ("-rw-r--r-- 1 root root 7 2026-11-22 21:51 y", Entry("-", 7, "y")),
        ("brw-rw---- 1 root disk 253, 3 Nov 22 21:51 dm-3", Entry("b", None, "dm-3")),
        ("-rw-r--r-- 1 root root 5 22. Nov 21:51 z", Entry("-", 5, "z")),
        ("total 31804", None),
        ("-rw-r--r-- 1 root root", None),
    ],
)
def test_a_line_is_an_entry_or_none(line, entry) -> None:
    assert entry_of(line) == entry


def test_each_directory_has_its_entries() -> None:
    found = listings(PRINTED)
    assert [e.name for e in found["/var/lib/nova/instances"]] == [
        "0505d6dc-5650-4848-9bae-9cb19f60cb29",
        "compute_nodes",
    ]
    assert found["/var/lib/nova/instances/_base"][0].size == 1591194
