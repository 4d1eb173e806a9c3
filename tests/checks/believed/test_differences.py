"""What is believed of volumes, providers, routers and services, and what is there: one thing off each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.diagnose.runner import examine
from stackdoctor.model import Node, NodeResults, Result, Severity, Status

VM1 = "0505d6dc-5650-4848-9bae-9cb19f60cb29"
VOLUME = "c85a9e21-eab4-4821-b34a-2b7cd0f97211"
GONE = "11111111-2222-4333-8444-555555555555"
NOW = "2026-11-22T22:13:50Z"
OLD = "2026-11-22T21:00:00.000000"
LOGIN = """iSCSI Transport Class version 2.0-870
version 2.1.8
Target: iqn.2010-10.org.openstack:volume-{0} (non-flash)
\tCurrent Portal: 192.0.2.30:3260,1
\tPersistent Portal: 192.0.2.30:3260,1
\t\t**********
\t\tInterface:
\t\t**********
\t\tIface Name: default
\t\tIface Initiatorname: iqn.1993-08.org.debian:01:70b7d9dbcad2
\t\tSID: 1
\t\tiSCSI Connection State: LOGGED IN
\t\tiSCSI Session State: LOGGED_IN
\t\tInternal iscsid Session State: NO CHANGE
"""
DISK = (
    "<disk type='block' device='disk'><source dev='/dev/sdb'/><target dev='vdb' bus='virtio'/>"
    "<serial>{0}</serial></disk>"
)
DOMAIN = "<domain type='kvm'><name>instance-00000001</name><uuid>{0}</uuid><devices>{1}</devices></domain>"
LIST = " Id   Name                State\n-----------------------------------\n 3    instance-00000001   running\n\n"

Held = Callable[..., Any]


def ids(seen: Any) -> set[str]:
    return {f.id for f in seen.every if f.id.startswith("api.")}


def guest(disks: str) -> dict[str, str]:
    return {"libvirt.list": LIST, "libvirt.dumpxml instance-00000001": DOMAIN.format(VM1, disks)}


def test_an_attached_volume_is_a_disk_of_its_guest(held: Held, believed: Any) -> None:
    assert "api.attachment.no-disk" not in ids(held(compute1=guest(DISK.format(VOLUME))))
    seen = held(compute1=guest(""))
    (found,) = (f for f in seen.every if f.id == "api.attachment.no-disk")
    assert (found.keys["volume"], found.keys["host"]) == (VOLUME, "compute1")
    believed.change("compute.servers", {"id": VM1}, updated=NOW)  # Nova is just at it
    assert "api.attachment.no-disk" not in ids(held(compute1=guest("")))


def test_a_disk_that_nobody_has_attached_is_left_of_a_detach(held: Held, believed: Any) -> None:
    assert "api.disk.no-attachment" not in ids(held(compute1=guest(DISK.format(VOLUME))))
    believed.change("compute.servers", {"id": VM1}, **{"os-extended-volumes:volumes_attached": []})
    assert "api.disk.no-attachment" not in ids(held(compute1=guest(DISK.format(VOLUME))))  # Cinder has it
    believed.change("volume.volumes", {"id": VOLUME}, attachments=[], status="available")
    assert "api.disk.no-attachment" in ids(held(compute1=guest(DISK.format(VOLUME))))


def test_a_session_to_a_volume_that_is_attached_to_nothing_is_left_over(held: Held, believed: Any) -> None:
    host = {"iscsi.sessions": LOGIN.format(VOLUME)}
    assert "api.session.no-attachment" not in ids(held(compute1=host))
    believed.change("volume.volumes", {"id": VOLUME}, attachments=[], status="downloading")
    assert "api.session.no-attachment" not in ids(held(compute1=host))  # Cinder's own login
    believed.change("volume.volumes", {"id": VOLUME}, status="available")
    assert "api.session.no-attachment" in ids(held(compute1=host))


@pytest.mark.parametrize(
    ("status", "updated", "severity"),
    [
        ("error_deleting", "2026-11-22T22:00:00.000000", Severity.WARNING),
        ("error", "2026-11-20T22:00:00.000000", Severity.INFO),
        ("available", "2026-11-22T22:00:00.000000", None),
    ],
)
def test_a_volume_in_error_is_told(
    held: Held, believed: Any, status: str, updated: str, severity: Severity | None
) -> None:
    believed.change("volume.volumes", {"id": VOLUME}, status=status, updated_at=updated)
    told = [f.severity for f in held(controller={}).every if f.id == "api.volume.error"]
    assert told == ([] if severity is None else [severity])


def test_chains_and_dhcp_entries_of_ports_that_are_gone(held: Held, believed: Any) -> None:
    port = next(p for p in believed.of("network.ports") if p["device_id"] == VM1)
    rules = "*filter\n:INPUT ACCEPT [0:0]\n:neutron-linuxbri-i{0} - [0:0]\nCOMMIT\n"
    assert "api.chain.no-port" not in ids(held(compute1={"iptables.save": rules.format(port["id"][:10])}))
    assert "api.chain.no-port" in ids(held(compute1={"iptables.save": rules.format("01234567-8")}))
    believed.rows["api.network.ports"]["complete"] = False
    assert "api.chain.no-port" not in ids(held(compute1={"iptables.save": rules.format("01234567-8")}))


def test_dnsmasq_keeps_an_entry_of_a_port_that_is_gone(held: Held, believed: Any) -> None:
    port = next(p for p in believed.of("network.ports") if p["device_id"] == VM1)
    network, ip = port["network_id"], port["fixed_ips"][0]["ip_address"]
    path = f"/var/lib/neutron/dhcp/{network}/host"

    def node(mac: str, address: str) -> dict[str, str]:
        return {f"dnsmasq.files {path}": f"{mac},host-{address.replace('.', '-')}.openstacklocal,{address}\n"}

    assert "api.dhcp-entry.no-port" not in ids(held(controller=node(port["mac_address"], ip)))
    (left,) = (
        f for f in held(controller=node("fa:16:3e:00:00:99", "10.10.0.250")).every if f.id == "api.dhcp-entry.no-port"
    )
    assert (left.severity, left.keys["mac"]) == (Severity.INFO, "fa:16:3e:00:00:99")
    (twice,) = (f for f in held(controller=node("fa:16:3e:00:00:99", ip)).every if f.id == "api.dhcp-entry.no-port")
    assert (twice.severity, twice.keys["owner"]) == (Severity.WARNING, port["mac_address"])


@pytest.mark.parametrize(
    ("mac", "ip", "severity"),
    [
        ("own", "own", None),
        ("fa:16:3e:00:00:99", "10.10.0.250", Severity.INFO),
        ("fa:16:3e:00:00:99", "own", Severity.WARNING),
    ],
)
def test_dnsmasq_holds_a_lease_of_a_port_that_is_gone(
    held: Held, believed: Any, mac: str, ip: str, severity: Severity | None
) -> None:
    port = next(p for p in believed.of("network.ports") if p["device_id"] == VM1)
    mac = port["mac_address"] if mac == "own" else mac
    ip = port["fixed_ips"][0]["ip_address"] if ip == "own" else ip
    lease = f"0 {mac} {ip} host-{ip.replace('.', '-')} 01:{mac}\n"
    path = f"dnsmasq.files /var/lib/neutron/dhcp/{port['network_id']}/leases"
    seen = held(controller={path: lease})
    assert [f.severity for f in seen.every if f.id == "api.dhcp-lease.no-port"] == [severity] * (severity is not None)
    stale = ("dhcp-lease-stale", "controller")
    assert (stale in seen.causes) is (severity is Severity.WARNING)
    assert "api.dhcp-lease.no-port" not in ids(held(controller={path: f"1{lease}"}))  # it ended in 1970


def test_a_lease_of_a_port_of_another_network_says_so(held: Held, believed: Any) -> None:
    port, other = (
        next(p for p in believed.of("network.ports") if (p["device_id"] == VM1) is own and p["mac_address"])
        for own in (True, False)
    )
    other["network_id"] = GONE
    path = f"dnsmasq.files /var/lib/neutron/dhcp/{port['network_id']}/leases"
    seen = held(controller={path: f"0 {other['mac_address']} 10.10.0.250 host 01:{other['mac_address']}\n"})
    (found,) = (f for f in seen.every if f.id == "api.dhcp-lease.no-port")
    assert f"(port {other['id']} of network {GONE} has it)" in found.message


@pytest.mark.parametrize(("seconds", "slow"), [(7.5, True), (0.4, False)])
def test_an_endpoint_that_answers_after_long(knowledge: Any, believed: Any, seconds: float, slow: bool) -> None:
    answers = believed.answers()
    results = {("api.source", ""): Result("api.source", "openstack token issue", stdout=answers["api.source"].encode())}
    said = answers["api.endpoints compute public"].encode()
    subject = "compute public"
    results["api.endpoints", subject] = Result("api.endpoints", "GET", subject, stdout=said, seconds=seconds)
    examined = examine([NodeResults(Node("api"), results)], knowledge.checks)
    assert ("api.endpoint.slow" in {f.id for f in examined.findings}) is slow


@pytest.mark.parametrize(
    ("status", "exit_", "severity"),
    [
        (Status.RAN, 500, Severity.ERROR),
        (Status.TIMED_OUT, None, Severity.ERROR),
        (Status.RAN, 404, Severity.WARNING),
        (Status.DENIED, None, Severity.WARNING),
        (Status.RAN, 0, None),
    ],
)
def test_keystone_that_gives_no_token(
    knowledge: Any, believed: Any, status: Status, exit_: int | None, severity: Severity | None
) -> None:
    source = Result(
        "api.source", "openstack token issue", "", status, exit_, believed.answers()["api.source"].encode(), reason=""
    )
    examined = examine([NodeResults(Node("api"), {("api.source", ""): source})], knowledge.checks)
    told = [f.severity for f in examined.findings if f.id == "api.identity.no-token"]
    assert told == ([] if severity is None else [severity])


def test_providers_and_hypervisors_belong_together(held: Held, believed: Any) -> None:
    provider = believed.of("placement.providers")[0]
    assert not ids(held(controller={})) & {"api.provider.no-inventory", "api.provider.leftover"}
    inventories = believed.rows["api.placement.inventories"]
    kept = list(inventories["rows"])
    inventories["rows"] = [row for row in kept if row["of"] != provider["uuid"]]
    assert "api.provider.no-inventory" in ids(held(controller={}))
    inventories["rows"] = kept
    believed.rows["api.compute.hypervisors"]["rows"] = [
        row for row in believed.of("compute.hypervisors") if row["id"] != provider["uuid"]
    ]
    seen = ids(held(controller={}))
    assert "api.provider.leftover" in seen
    assert "api.provider.no-inventory" not in seen


def test_a_running_server_holds_what_it_uses(held: Held, believed: Any) -> None:
    assert "api.instance.no-allocation" not in ids(held(controller={}))
    allocations = believed.rows["api.placement.allocations"]
    allocations["rows"] = [row for row in allocations["rows"] if row["id"] != VM1]
    assert "api.instance.no-allocation" in ids(held(controller={}))
    allocations["complete"] = False
    assert "api.instance.no-allocation" not in ids(held(controller={}))


def test_a_router_on_dead_agents_only_is_not_hosted(held: Held, believed: Any) -> None:
    assert "api.router.not-hosted" not in ids(held(controller={}))
    believed.change("network.agents", {"agent_type": "L3 agent"}, alive=False, heartbeat_timestamp=OLD[:19])
    (found,) = (f for f in held(controller={}).every if f.id == "api.router.not-hosted")
    assert found.keys["dead"] == "yes"
    believed.change("network.routers", {}, external_gateway_info=None)
    assert "api.router.not-hosted" not in ids(held(controller={}))


def test_a_service_that_is_up_and_stopped_is_believed_in_vain(
    held: Held, believed: Any, processes: Callable[..., str]
) -> None:
    compute = "/usr/bin/python3 /usr/bin/nova-compute --config-file=/etc/nova/nova.conf"
    assert "api.service.up-but-dead" not in ids(held(compute1={"processes": processes(compute)}))
    assert "api.service.up-but-dead" in ids(held(compute1={"processes": processes(compute, stat="Tsl")}))
    believed.change("compute.services", {"host": "compute1"}, state="down", updated_at=OLD)
    assert "api.service.up-but-dead" not in ids(held(compute1={"processes": processes(compute, stat="Tsl")}))


def test_a_backend_that_does_not_report_is_down_unless_it_was_disabled(held: Held, believed: Any) -> None:
    believed.change("volume.services", {"binary": "cinder-volume"}, state="down", updated_at=OLD)
    (found,) = (f for f in held(controller={}).every if f.id == "api.volume-service.down")
    assert (found.keys["host"], found.keys["backend"]) == ("storage", "filetgt")
    believed.change("volume.services", {"binary": "cinder-volume"}, status="disabled")
    assert "api.volume-service.down" not in ids(held(controller={}))
