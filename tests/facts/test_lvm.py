import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.lvm import LOGICAL_VOLUMES, VOLUME_GROUPS, LogicalVolumes, VolumeGroups

GROUPS = """\
  {
      "report": [
          {
              "vg": [
                  {"vg_name":"cinder-volumes", "vg_size":"10733223936", "vg_free":"0", "lv_count":"3"}
              ]
          }
      ]
  }
"""
VOLUMES = """\
  LV|VG|LSize|Attr|Pool|Origin|Data%|Meta%
  cinder-volumes-pool|cinder-volumes|10196353024|twi-aotz--|||97.50|12.01
  volume-d081b393-4a68-4b3a-81c1-e24a9033d57c|cinder-volumes|1073741824|Vwi-a-tz--|cinder-volumes-pool||100.00|
  root|system|1073741824|-wi-------||||
"""


def test_groups_are_read_in_both_forms(answer, answered_node) -> None:
    text = "  VG|VSize|VFree|#LV\n  cinder-volumes|10733223936|0|3\n"
    from_json = VolumeGroups.parse(answered_node(answer(VOLUME_GROUPS, GROUPS)))
    assert from_json == VolumeGroups.parse(answered_node(answer(VOLUME_GROUPS, text)))
    (group,) = from_json.groups
    assert (group.name, group.size, group.free, group.volumes) == ("cinder-volumes", 10733223936, 0, 3)
    assert group.evidence.line == "cinder-volumes|10733223936|0|3"


def test_a_full_thin_pool_and_an_inactive_volume_show(answer, answered_node) -> None:
    pool, volume, root = LogicalVolumes.parse(answered_node(answer(LOGICAL_VOLUMES, VOLUMES))).volumes
    assert (pool.thin_pool, pool.data_percent, pool.metadata_percent) == (True, 97.5, 12.01)
    assert (volume.pool, volume.volume_id, volume.active) == (
        "cinder-volumes-pool",
        "d081b393-4a68-4b3a-81c1-e24a9033d57c",
        True,
    )
    assert (root.active, root.data_percent, root.origin) == (False, None, "")


def test_a_node_without_groups_has_none(recorded_node, answer, answered_node) -> None:
    assert VolumeGroups.parse(recorded_node("healthy.storage")).groups == ()
    assert LogicalVolumes.parse(recorded_node("healthy.storage")).volumes == ()
    assert VolumeGroups.parse(answered_node(answer(VOLUME_GROUPS, ""))).groups == ()


@pytest.mark.parametrize(
    "printed", ["VG VSize\n", "VG|VSize|VFree|#LV\na|b\n", "VG|VSize|VFree|#LV\na|b|c|d\n", '{"report": 1}']
)
def test_what_is_no_report_is_refused(printed: str, answer, answered_node) -> None:
    with pytest.raises(ParseError):
        VolumeGroups.parse(answered_node(answer(VOLUME_GROUPS, printed)))
