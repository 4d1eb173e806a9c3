"""Processes, services and disks of a host: what is a fault and what only looks like one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.diagnose.runner import examine
from stackdoctor.model import Clock, Node, NodeResults, Severity

Look = Callable[..., Any]

DF = "Filesystem     Type    1024-blocks     Used Available Capacity Mounted on\n"
ROOT = "/dev/vda1 ext4 264212084 27545488 78845424 26% /\n"
DFI = "Filesystem     Type   Inodes  IUsed    IFree IUse% Mounted on\n"
KOLLA = "\tquay.io/openstack.kolla/nova:zed-debian-bullseye\n"
LOOP = (
    "Id=nova-compute.service\nLoadState=loaded\nActiveState=activating\nSubState=auto-restart\n"
    "UnitFileState=enabled\nType=notify\nNRestarts={}\nExecMainCode=1\nExecMainStatus=1\n"
)


@pytest.mark.parametrize(
    "command", ["vim /etc/nova/nova.conf", "/usr/bin/python3 /usr/bin/nova-manage cell_v2 list_cells"]
)
def test_what_an_operator_put_into_the_background_is_no_stopped_service(
    look: Look, processes: Any, command: str
) -> None:
    assert not look(controller={"processes": processes(command, "T")}).every


def test_a_paused_container_is_a_stopped_service(look: Look, processes: Any) -> None:
    asked = {"processes": processes("/usr/bin/python3 /usr/bin/nova-conductor", "Ds")}
    paused = look(controller=asked | {"services.docker": "nova_conductor\tUp 3 hours (Paused)" + KOLLA})
    assert paused.causes == [("rpc-consumer-hung", "controller")]
    assert not look(controller=asked | {"services.docker": "nova_conductor\tUp 3 hours" + KOLLA}).every


ONCE = (
    *("nova_cell_bootstrap", "neutron_db_sync", "horizon_fix_perms", "nova_cellv2_discover_hosts"),
    *("ceilometer_gnocchi_upgrade", "swift_copy_rings", "swift_setup_srv", "neutron_ovs_bridge", "nova_compute_old"),
)


def test_a_container_that_ended_is_down_and_one_that_was_for_once_is_not(look: Look, processes: Any) -> None:
    once = "".join(f"{name}\tExited (0) 4 weeks ago{KOLLA}" for name in ONCE)
    asked = {"processes": processes()}
    assert not look(compute1=asked | {"services.docker": once}).every
    ended = look(compute1=asked | {"services.docker": once + "nova_compute\tExited (0) 2 minutes ago" + KOLLA})
    assert ended.causes == [("service-process-down", "compute1")]
    assert ended.findings["service.down"].keys["service"] == "nova-compute"


def test_a_unit_that_ends_each_time_it_is_started_is_down_and_one_that_is_started_again_is_not(
    look: Look, processes: Any
) -> None:
    asked = {"processes": processes()}
    assert look(compute1=asked | {"services.systemd": LOOP.format(12)}).causes == [("service-process-down", "compute1")]
    assert not look(compute1=asked | {"services.systemd": LOOP.format(1)}).every


@pytest.mark.parametrize(
    "row",
    [
        "/dev/sr0 iso9660 640000 640000 0 100% /media/cdrom\n",
        "/dev/loop3 squashfs 56960 56960 0 100% /snap/core18/2128\n",
        "/dev/sdc1 xfs 961302560 961302560 0 100% /backup\n",
    ],
)
def test_a_full_file_system_that_no_service_writes_to_is_nothing(look: Look, row: str) -> None:
    assert not look(controller={"disks.bytes": DF + ROOT + row}).every


@pytest.mark.parametrize("mount", ["/var", "/var/lib/glance"])
def test_a_full_file_system_of_services_is_a_cause(look: Look, mount: str) -> None:
    seen = look(controller={"disks.bytes": DF + ROOT + f"/dev/vdb ext4 41152832 41152832 0 100% {mount}\n"})
    assert seen.causes == [("controller-disk-full", "controller")]


def test_a_file_system_without_inodes_is_full_although_df_shows_space(look: Look) -> None:
    disks = {"disks.bytes": DF + ROOT + "/dev/vdb ext4 41152832 1152832 38000000 3% /var\n"}
    full = look(controller=disks | {"disks.inodes": DFI + "/dev/vdb ext4 1000000 1000000 0 100% /var\n"})
    assert full.causes == [("controller-disk-full", "controller")]
    assert "host.inodes.full" in full.findings
    assert not look(controller=disks | {"disks.inodes": DFI + "/dev/vdb ext4 1000000 900000 100000 90% /var\n"}).every


def test_the_instances_file_system_is_known_by_its_own_mount_or_by_the_service_that_runs(
    look: Look, processes: Any
) -> None:
    own = DF + ROOT + "/dev/loop0 ext4 587464 587464 0 100% /var/lib/nova/instances\n"
    shared = DF + "/dev/vda1 ext4 264212084 264212084 0 100% /\n"
    compute = {"processes": processes("/usr/bin/python3 /usr/bin/nova-compute", "Ss")}
    assert look(compute1={"disks.bytes": own} | {"processes": processes()}).causes == [
        ("disk-full-compute", "compute1")
    ]
    assert look(compute1={"disks.bytes": shared} | compute).causes == [("disk-full-compute", "compute1")]
    assert look(compute1={"disks.bytes": shared}).causes == [("controller-disk-full", "compute1")]


@pytest.mark.parametrize(("percent", "found"), [(93, True), (80, False)])
def test_a_file_system_of_services_that_is_nearly_full_is_a_warning(look: Look, percent: int, found: bool) -> None:
    row = f"/dev/vdb ext4 41152832 {411528 * percent} {411528 * (100 - percent)} {percent}% /var\n"
    seen = look(controller={"disks.bytes": DF + ROOT + row})
    assert {f.id for f in seen.every} == ({"host.disk.nearly-full"} if found else set())
    assert seen.causes == []


@pytest.mark.parametrize(
    ("ahead", "severity"), [(45.0, Severity.ERROR), (5.0, Severity.WARNING), (1.0, None), (-45.0, Severity.ERROR)]
)
def test_a_clock_is_held_against_the_other_nodes(knowledge: Any, ahead: float, severity: Severity | None) -> None:
    nodes = [
        NodeResults(Node(name), {}, Clock(1795366000.0 + offset, offset, 0.01), name)
        for name, offset in (("ctl1", 3.0), ("ctl2", 3.1), ("compute1", 3.0 + ahead))
    ]
    found = [f for f in examine(nodes, knowledge.checks).findings if f.id == "host.clock.skew"]
    assert [(f.keys["host"], f.severity) for f in found] == ([] if severity is None else [("compute1", severity)])
    # of two that differ, neither is known to be right
    assert not [f for f in examine(nodes[1:], knowledge.checks).findings if f.id == "host.clock.skew"]


def test_a_stopped_program_without_a_queue_of_its_own_hangs_and_its_unit_is_active(look: Look, processes: Any) -> None:
    placement = "/usr/bin/python3 /usr/bin/neutron-metadata-agent --config-file=/etc/neutron/neutron.conf"
    assert look(controller={"processes": processes(placement, "Tsl")}).causes == [
        ("service-process-hung", "controller")
    ]
    assert look(controller={"processes": processes(placement, "Ssl")}).causes == []
