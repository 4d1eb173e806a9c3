"""`--from` what others collected: sosreports, several as one cloud, and logs without anything else.

The layouts are those of sos 4 (sos/report/plugins/process.py, date.py, host.py, rabbitmq.py), the texts those of a
cloud whose nova-conductor was stopped by a signal.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

AXO_FILE = "ps_axo_flags_state_uid_pid_ppid_pgid_sid_cls_pri_addr_sz_wchan_20_lstart_tty_time_cmd"
ARGS = "/usr/bin/python3 /usr/bin/nova-conductor --config-file=/etc/nova/nova.conf"
AUX = f"""\
USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND
nova     39567  2.6  0.5 300000 142792 ?       Ts   17:48   0:04 {ARGS}
"""
AXO = f"""\
F S   UID   PID  PPID  PGID   SID CLS PRI ADDR    SZ WCHAN                                STARTED TT       TIME CMD
4 T   108 39567     1 39567 39567  TS  19    - 75000 do_signal_stop      Sun Nov 22 17:48:19 2026 ?    00:00:04 {ARGS}
"""
LOG = """\
2026-11-22 {hour}:50:32.284 879 WARNING nova.servicegroup.drivers.db [-] Lost connection to nova-conductor for \
reporting service status.: oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to message ID 06
2026-11-22 {hour}:50:42.286 879 ERROR oslo_service.periodic_task [None \
req-4b0ae613-0cd4-4cad-ac0d-f62dedc5e42c - - - - -] Error during ComputeManager._cleanup: \
oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to message ID 71c2a89413b44c228f1a5dad839c6efe
"""
COLUMNS = (
    "name\tdurable\tauto_delete\targuments\tpid\tmessages_ready\tmessages_unacknowledged\tmessages\tconsumers\tstate"
)
REPORT = f"""\
Reporting server status of node rabbit@controller ...

Status of node rabbit@controller ...
\x1b[1mRuntime\x1b[0m

RabbitMQ version: 3.10.8
Node name: rabbit@controller

\x1b[1mAlarms\x1b[0m

(none)

\x1b[1mMemory\x1b[0m

Total memory used: 0.169 gb

Cluster status of node rabbit@controller ...
\x1b[1mRunning Nodes\x1b[0m

rabbit@controller

\x1b[1mNetwork Partitions\x1b[0m

(none)

Timeout: 60.0 seconds ...
Listing queues for vhost / ...
{COLUMNS}
conductor\tfalse\tfalse\t[]\t<rabbit@controller.1795383825.589.0>\t0\t12\t12\t1\trunning
compute.compute1\tfalse\tfalse\t[]\t<rabbit@controller.1795383825.600.0>\t0\t0\t0\t1\trunning

Listing exchanges for vhost / ...
name\ttype
"""


def _report(top: Path, host: str, files: dict[str, str], hour: str = "17", zone: str = "UTC") -> Path:
    """A sosreport of ``host``, made at 17:51 UTC, which is ``hour``:51 in ``zone``."""
    found = top / f"sosreport-{host}-2026-11-22-abcdefg"
    said = {
        "sos_commands/date/date": f"Sun Nov 22 {hour}:51:00 {zone} 2026\n",
        "sos_commands/date/date_--utc": "Sun Nov 22 17:51:00 UTC 2026\n",
        "sos_commands/host/hostname": f"{host}\n",
        **files,
    }
    for name, text in said.items():
        file = found / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return found


@pytest.fixture
def controller(tmp_path: Path) -> Path:
    return _report(
        tmp_path,
        "controller",
        {
            "sos_commands/process/ps_auxwww": AUX,
            f"sos_commands/process/{AXO_FILE}": AXO,
            "sos_commands/rabbitmq/rabbitmqctl_report": REPORT,
            "etc/nova/nova.conf": "[DEFAULT]\n# a comment\ntransport_url = rabbit://nova:hush-hush@192.0.2.1:5672/\n",
        },
    )


@pytest.fixture
def compute(tmp_path: Path) -> Path:
    return _report(tmp_path, "compute1", {"var/log/nova/nova-compute.log": LOG.format(hour="19")}, "19", "CEST")


def _diagnosis(run: Run, *arguments: str) -> dict[str, object]:
    done = run("diagnose", "--format", "json", *arguments)
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def _causes(report: dict[str, object]) -> list[str]:
    return [each["cause"] for each in report["diagnoses"]]  # type: ignore[attr-defined]


def test_settings_of_the_kernel_are_read_by_their_names(run: Run, tmp_path: Path) -> None:
    said = "net.netfilter.nf_conntrack_count = 262100\nnet.netfilter.nf_conntrack_max = 262144\n"
    said += "net.bridge.bridge-nf-call-iptables = 1\nfs.file-nr = 2860\t0\t9223372036854775807\n"
    report = _diagnosis(run, "--from", str(_report(tmp_path, "x", {"sos_commands/kernel/sysctl_-a": said})))
    (finding,) = report["findings"]  # type: ignore[misc]
    assert finding["id"] == "host.conntrack.full"
    assert "sos_commands/kernel/sysctl_-a" in json.dumps(finding["evidence"])
    assert "/proc/sys/fs/file-nr" not in json.dumps(report)


def test_sosreports_of_two_hosts_make_one_cloud_with_one_root_cause(run: Run, controller: Path, compute: Path) -> None:
    with tarfile.open(controller.with_suffix(".tar.xz"), "w:xz") as archive:
        archive.add(controller, controller.name)
    report = _diagnosis(run, "--from", str(controller.with_suffix(".tar.xz")), "--from", str(compute))
    assert _causes(report) == ["rpc-consumer-hung"]
    (diagnosis,) = report["diagnoses"]  # type: ignore[misc]
    assert diagnosis["where"] == {"node": "controller", "service": "nova-conductor"}
    waiting = [f for f in diagnosis["explains"] if f["id"] == "log.rpc-timeout"]
    assert {f["node"] for f in waiting} == {"compute1"}
    text = run("diagnose", "--from", str(compute), "-v").stdout
    assert "last 17:50:42Z" in text, "stamps without a zone are the host's: 19:50 CEST"


def test_what_is_not_in_a_sosreport_is_said_and_not_taken_for_well(run: Run, controller: Path) -> None:
    done = run("diagnose", "--from", str(controller), "-v")
    assert "not-run (not in the sosreport)" in done.stdout
    assert "multipath -ll" in done.stdout


def test_secrets_of_a_sosreport_are_in_no_snapshot(run: Run, controller: Path) -> None:
    from stackdoctor.diagnose.knowledge import load_knowledge
    from stackdoctor.snapshot.foreign import Reading, read_all

    plan = load_knowledge().plan(since=1800, seconds=60)
    snapshot = read_all([controller], Reading(plan, lambda now: 1800.0, str))
    (node,) = snapshot.nodes
    config = node.results["nova.config", "/etc/nova/nova.conf"].text
    assert "transport_url = rabbit://nova:<redacted>@192.0.2.1" in config
    assert "a comment" not in config
    assert not any(b"hush" in result.stdout for result in node.results.values())


def test_half_a_sosreport_is_read_as_far_as_it_goes_and_that_is_said(run: Run, controller: Path) -> None:
    (controller / "zzz").write_bytes(os.urandom(200_000))
    path = controller.with_suffix(".tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(controller.rglob("*")):
            if file.is_file():
                archive.add(file, f"{controller.name}/{file.relative_to(controller)}")
    path.write_bytes(path.read_bytes()[:-100_000])
    report = _diagnosis(run, "--from", str(path))
    assert "process.stopped" in json.dumps(report["findings"])
    assert "truncated" in json.dumps(report["nodes"])


def test_two_reports_of_one_host_are_refused(run: Run, compute: Path) -> None:
    done = run("diagnose", "--from", str(compute), "--from", str(compute))
    assert done.returncode == 2
    assert "are both of the host compute1" in done.stderr


@pytest.mark.parametrize(
    ("place", "node"),
    [
        ("var/log/kolla/nova/nova-compute.log", "tree"),
        ("kolla/nova/nova-compute.log", "tree"),
        ("compute7/var/log/nova/nova-compute.log", "compute7"),
        ("compute7/nova/nova-compute.log", "compute7"),
        ("compute7/nova_compute.log", "compute7"),
        ("nova_compute", "tree"),
        ("namespaces/openstack/pods/nova-compute-0/nova-compute/nova-compute/logs/current.log", "tree"),
    ],
)
def test_logs_alone_are_read_wherever_they_lie(run: Run, tmp_path: Path, place: str, node: str) -> None:
    file = tmp_path / "tree" / place
    file.parent.mkdir(parents=True)
    file.write_text(LOG.format(hour="17"))
    report = _diagnosis(run, "--from", str(tmp_path / "tree"))
    waits = [f for f in report["findings"] if f["id"] == "log.rpc-timeout"]  # type: ignore[attr-defined]
    assert {f["node"] for f in waits} == {node}
    assert {f["keys"]["service"] for f in waits} == {"nova-compute"}


def test_a_folder_of_packed_reports_is_the_cloud_that_they_are_of(run: Run, tmp_path: Path, compute: Path) -> None:
    folder = tmp_path / "packed"
    folder.mkdir()
    for host in ("compute1", "compute2"):
        copy = tmp_path / f"sosreport-{host}-x"
        shutil.copytree(compute, copy)
        (copy / "sos_commands/host/hostname").write_text(f"{host}\n")
        with tarfile.open(folder / f"{host}.tar.bz2", "w:bz2") as archive:
            archive.add(copy, copy.name)
    report = _diagnosis(run, "--from", str(folder))
    assert [node["name"] for node in report["nodes"]] == ["compute1", "compute2"]  # type: ignore[attr-defined]


def test_a_request_is_followed_through_foreign_logs(run: Run, compute: Path) -> None:
    done = run("trace", "request", "req-4b0ae613-0cd4-4cad-ac0d-f62dedc5e42c", "--from", str(compute))
    assert "nova-compute" in done.stdout, done.stderr


@pytest.mark.parametrize(("command", "status"), [(("trace", "request"), 1), (("triage", "--instance"), 0)])
def test_an_instance_is_followed_where_nothing_but_logs_was_copied(
    run: Run, tmp_path: Path, command: tuple[str, ...], status: int
) -> None:
    instance = "0505d6dc-5650-4848-9bae-9cb19f60cb29"
    log = tmp_path / "logs" / "compute7" / "nova" / "nova-compute.log"
    log.parent.mkdir(parents=True)
    log.write_text(LOG.format(hour="17").replace("Error during", f"[instance: {instance}] Error during"))
    done = run(*command, instance, "--from", str(tmp_path / "logs"))
    assert done.returncode == status, done.stderr
    assert "nova-compute (nova-compute on compute7) failed" in done.stdout


def test_triage_starts_from_what_several_hosts_collected(run: Run, controller: Path, compute: Path) -> None:
    both = ("--from", str(controller), "--from", str(compute))
    done = run("triage", "--symptom", "messaging-timeout", *both, "--format", "json")
    value = json.loads(done.stdout)
    assert [each["cause"] for each in value["explaining"]] == ["rpc-consumer-hung"]
    assert {each["name"] for each in value["nodes"]} >= {"controller", "compute1"}
    assert all(" ".join(both) in step["command"] for step in value["next"] if "stackdoctor" in step["command"])


def test_before_and_after_may_be_what_others_collected(run: Run, controller: Path) -> None:
    after = controller.parent / "after" / controller.name
    shutil.copytree(controller, after)
    (after / "sos_commands/process" / AXO_FILE).write_text(AXO.replace("4 T ", "4 S "))
    (after / "sos_commands/process/ps_auxwww").write_text(AUX.replace("Ts ", "Ss "))
    done = run("diff", str(controller), str(after), "--format", "json")
    assert done.returncode == 1, done.stderr
    assert "process.stopped" in done.stdout
    assert "process.stopped" in run("show", str(controller), "--format", "json").stdout


@pytest.mark.parametrize("option", [("--only", "compute*"), ("--from-cloud",)])
def test_what_would_not_count_for_it_is_refused(run: Run, compute: Path, option: tuple[str, ...]) -> None:
    done = run("diagnose", "--from", str(compute), *option)
    assert done.returncode == 2
    assert f"leave out {option[0]}" in done.stderr


@pytest.mark.parametrize("make", ["empty", "text", "strange"])
def test_what_is_nothing_known_is_refused_with_what_is(run: Run, tmp_path: Path, make: str) -> None:
    path = tmp_path / make
    if make == "text":
        path.write_text("nothing\n")
    else:
        path.mkdir()
        if make == "strange":
            (path / "holiday.jpg").write_bytes(b"\xff\xd8")
    done = run("diagnose", "--from", str(path))
    assert done.returncode == 2
    assert "sosreports" in done.stderr
    assert "Traceback" not in done.stderr
