import pytest

DOMAIN = "<domain type='kvm'><name>instance-0000002a</name><uuid>e73c64ac-3af3-47fd-abfe-e138e40f0a40</uuid></domain>"
LIST = " Id   Name                State\n-----------------------------------\n {0}    instance-0000002a   {1}\n\n"
OOM = ("kernel-oom", "syslog", "/var/log/syslog", {"process": "qemu-system-x86", "pid": "4242"}, 900.0)
GUEST = ("kernel-oom-guest", "syslog", "/var/log/syslog", {"domain": r"instance\x2d0000002a"}, 900.0)
CRASHED = ("qemu-shutdown", "qemu", "/var/log/libvirt/qemu/instance-0000002a.log", {"reason": "crashed"}, 898.0)


def node(log: str, state: str = "shut off") -> dict[str, object]:
    listed = LIST.format("-" if state == "shut off" else "3", state)
    return {"logs.hits": log, "libvirt.list": listed, "libvirt.dumpxml instance-0000002a": DOMAIN}


@pytest.mark.parametrize("hits", [(GUEST,), (OOM, CRASHED)])
def test_a_guest_that_the_kernel_killed_and_that_is_still_off_is_named(look, logged, hits) -> None:
    seen = look(compute1=node(logged(*hits)))
    found = seen.findings["libvirt.guest.killed"]
    assert (found.keys["instance"], found.keys["host"]) == ("e73c64ac-3af3-47fd-abfe-e138e40f0a40", "compute1")
    assert seen.causes == [("guest-oom-killed", "compute1")]


def test_one_that_runs_again_is_not(look, logged) -> None:
    assert "libvirt.guest.killed" not in look(compute1=node(logged(GUEST, OOM, CRASHED), "running")).findings


@pytest.mark.parametrize(
    "hits", [(CRASHED,), (OOM,), ((*OOM[:4], 400.0), CRASHED), ((*GUEST[:3], {"domain": "x"}, 9.0),)]
)
def test_a_crash_without_a_kill_at_the_time_is_another_matter(look, logged, hits) -> None:
    assert "libvirt.guest.killed" not in look(compute1=node(logged(*hits))).findings
