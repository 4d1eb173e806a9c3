DF = "Filesystem     Type 1024-blocks     Used Available Capacity Mounted on\n"
ROOT = "/dev/vda1      ext4    26421208 {0} {1}      {2}% /\n"
IMAGES = "/dev/vdb       xfs     10475520 {0} {1}     {2}% /srv/images\n"
API = "glance-api: master (/usr/bin/python3 /usr/bin/glance-api)"
CONF = "[glance_store]\nstores = file,http\ndefault_store = file\nfilesystem_store_datadir = /srv/images\n"
ROOMY = ROOT.format(3245362, 21737392, 14)


def node(processes: str, disks: str, conf: str = CONF) -> dict[str, str]:
    return {
        "processes": processes,
        "disks.bytes": DF + disks,
        "glance.config /etc/glance/glance-api.conf": conf,
    }


def test_a_full_file_system_of_the_images_is_the_cause(look, running) -> None:
    seen = look(ctl1=node(running(API), ROOMY + IMAGES.format(10475520, 0, 100)))
    found = seen.findings["glance.store.full"]
    assert (found.keys["mount"], found.keys["own"]) == ("/srv/images", "yes")
    assert seen.causes == [("glance-store-full", "ctl1")]


def test_a_store_that_is_nearly_full_or_not_in_use_is_fine(look, running) -> None:
    assert (
        "glance.store.full" not in look(ctl1=node(running(API), ROOMY + IMAGES.format(10370000, 105520, 99))).findings
    )
    full = ROOMY + IMAGES.format(10475520, 0, 100)
    assert look(ctl1=node(running(), full)).findings == {}
    assert look(ctl1=node(running(API), full, "[glance_store]\ndefault_store = rbd\n")).findings == {}


def test_a_root_file_system_that_is_full_is_the_wider_cause(look, running) -> None:
    seen = look(ctl1=node(running(API), ROOT.format(26421208, 0, 100), "[glance_store]\n"))
    assert seen.findings["glance.store.full"].keys["own"] == "no"
    assert seen.causes == [("controller-disk-full", "ctl1")]
    assert "glance.store.full" in seen.explained


def test_of_several_back_ends_each_file_store_is_looked_at(look, running) -> None:
    conf = "[DEFAULT]\nenabled_backends = slow:file, fast:rbd\n[slow]\nfilesystem_store_datadirs = /srv/images:10\n"
    seen = look(ctl1=node(running(API), ROOMY + IMAGES.format(10475520, 0, 100), conf))
    assert seen.findings["glance.store.full"].keys["store"] == "slow"
