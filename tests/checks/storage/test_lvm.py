import pytest

from stackdoctor.model import Severity

VG = "VG|VSize|VFree|#LV\n"
LV = "LV|VG|LSize|Attr|Pool|Origin|Data%|Meta%\n"
VOLUME = "volume-d081b393-4a68-4b3a-81c1-e24a9033d57c"
THIN = f"{VOLUME}|cinder-volumes|1073741824|Vwi-aotz--|pool||9.00|\n"


def test_a_full_group_of_cinder_is_told_and_a_full_system_disk_is_not(look) -> None:
    groups = VG + "cinder-volumes|10733223936|4194304|9\nsystem|10733223936|0|2\n"
    volumes = LV + f"{VOLUME}|cinder-volumes|1073741824|-wi-ao----||||\nroot|system|1073741824|-wi-ao----||||\n"
    seen = look(storage={"lvm.groups": groups, "lvm.volumes": volumes})
    found = seen.findings["lvm.group.full"]
    assert (found.keys["vg"], found.severity) == ("cinder-volumes", Severity.WARNING)
    assert seen.causes == [("lvm-pool-full", "storage")]


def test_a_group_that_its_thin_pool_fills_is_as_it_should_be(look) -> None:
    groups = VG + "cinder-volumes|10733223936|4194304|2\n"
    volumes = LV + "pool|cinder-volumes|10729029632|twi-aotz--|||40.00|12.00\n" + THIN
    seen = look(storage={"lvm.groups": groups, "lvm.volumes": volumes})
    assert (seen.findings.keys() & {"lvm.group.full", "lvm.pool.full", "lvm.pool.nearly-full"}, seen.causes) == (
        set(),
        [],
    )


@pytest.mark.parametrize(
    ("attributes", "data", "metadata", "finding"),
    [
        ("twi-aotz--", "100.00", "30.00", "lvm.pool.full"),
        ("twi-aotz--", "50.00", "100.00", "lvm.pool.full"),
        ("twi-aotzD-", "99.99", "30.00", "lvm.pool.full"),
        ("twi-aotz--", "91.00", "30.00", "lvm.pool.nearly-full"),
    ],
)
def test_a_thin_pool_is_full_in_its_data_or_its_metadata(look, attributes, data, metadata, finding) -> None:
    pool = LV + f"pool|cinder-volumes|10729029632|{attributes}|||{data}|{metadata}\n" + THIN
    seen = look(storage={"lvm.volumes": pool})
    assert finding in seen.findings
    assert bool(seen.causes) is (finding == "lvm.pool.full")


def test_a_volume_whose_disk_is_missing_and_a_snapshot_that_overflowed_are_told(look) -> None:
    rows = f"{VOLUME}|cinder-volumes|1073741824|-wi-a---p-||||\nsnap|cinder-volumes|1073741824|swi-I-s---||x|100.00|\n"
    seen = look(storage={"lvm.volumes": LV + rows})
    assert {"lvm.volume.partial", "lvm.snapshot.full"} <= seen.findings.keys()
