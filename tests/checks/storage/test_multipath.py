MAP = """\
360000000000000000e00000000010001 dm-0 IET,VIRTUAL-DISK
size=1.0G features='0' hwhandler='0' wp=rw
|-+- policy='service-time 0' prio=1 status=active
| `- 2:0:0:1 sda 8:0  {0}
`-+- policy='service-time 0' prio=0 status=enabled
  `- 3:0:0:1 sdb 8:16 {1}
"""
GOOD, BAD = "active ready running", "failed faulty offline"


def test_one_failed_path_is_a_warning_and_none_left_is_the_cause(look) -> None:
    assert not look(compute={"multipath.devices": MAP.format(GOOD, GOOD)}).findings
    one = look(compute={"multipath.devices": MAP.format(GOOD, BAD)})
    assert one.findings["multipath.path.failed"].evidence[0].line.endswith("sdb 8:16 failed faulty offline")
    assert one.causes == []
    none = look(compute={"multipath.devices": MAP.format(BAD, BAD)})
    assert none.findings["multipath.no-paths"].keys["wwid"] == "360000000000000000e00000000010001"
    assert none.causes == [("multipath-no-paths", "compute1")]
