"""What the APIs believe against what the nodes have: one thing off, and the nearest thing that is fine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.facts.openstack_answers import NOWHERE
from stackdoctor.model import Severity

VM1 = "0505d6dc-5650-4848-9bae-9cb19f60cb29"
GONE = "11111111-2222-4333-8444-555555555555"
OLD = "2026-11-22T21:00:00.000000"
LONG_AGO = "2026-11-01T00:00:00.000000"
NOVA_COMPUTE = "/usr/bin/python3 /usr/bin/nova-compute --config-file=/etc/nova/nova.conf"
NAMESPACES = "qrouter-{router} (id: 2)\nqdhcp-{network} (id: 1)\n"

Held = Callable[..., Any]


def ids(seen: Any) -> set[str]:
    return {f.id for f in seen.every if f.id.startswith("api.")}


def api(seen: Any, id_: str) -> list[Any]:
    return [f for f in seen.every if f.id == id_]


@pytest.fixture
def network(believed: Any) -> str:
    return next(str(p["network_id"]) for p in believed.of("network.ports") if p["device_owner"] == "compute:nova")


def test_a_healthy_cloud_is_believed_and_nothing_is_found(held: Held, processes: Callable[..., str]) -> None:
    seen = held(compute1={"processes": processes(NOVA_COMPUTE)})
    assert {f.id for f in seen.every if f.severity > Severity.INFO} == set()
    assert seen.causes == []


def test_without_credentials_every_check_says_so_once_and_for_the_whole_cloud(
    knowledge: Any, processes: Callable[..., str]
) -> None:
    from stackdoctor.diagnose.runner import examine
    from stackdoctor.model import Node, NodeResults, Result

    ps = Result("processes", "ps", stdout=processes(NOVA_COMPUTE).encode())
    nodes = [NodeResults(Node(name), {("processes", ""): ps}) for name in ("compute1", "compute2")]
    examined = examine(nodes, knowledge.checks)
    missed = [m for m in examined.not_checked if m.check.startswith("api.")]
    assert {m.reason for m in missed} == {NOWHERE}
    assert {m.node for m in missed} == {""}
    own = {c.id for c in knowledge.checks if "believed" in c.origin}
    assert {m.check for m in missed} == own


@pytest.mark.parametrize(
    ("stat", "process", "cause"),
    [("Ssl", "running", "nova-compute-down"), ("Tsl", "stopped", "rpc-consumer-hung")],
)
def test_a_service_that_is_down_says_what_its_host_shows(
    held: Held, believed: Any, processes: Callable[..., str], stat: str, process: str, cause: str
) -> None:
    believed.change("compute.services", {"host": "compute1"}, state="down", updated_at=OLD)
    seen = held(compute1={"processes": processes(NOVA_COMPUTE, stat=stat)})
    (found,) = api(seen, "api.compute-service.down")
    assert (found.node, found.keys["host"], found.keys["process"]) == ("compute1", "compute1", process)
    assert seen.causes == [(cause, "compute1")]
    assert "api.compute-service.down" in seen.explained


def test_a_service_that_was_disabled_or_taken_away_is_no_error(held: Held, believed: Any) -> None:
    believed.change("compute.services", {"host": "compute1"}, state="down", status="disabled", updated_at=OLD)
    believed.change("compute.services", {"host": "compute2"}, state="down", updated_at=LONG_AGO)
    seen = held(controller={"processes": ""})
    (found,) = api(seen, "api.compute-service.down")
    assert (found.keys["host"], found.severity) == ("compute2", Severity.WARNING)
    assert api(seen, "api.service.disabled")[0].severity is Severity.INFO


def test_an_agent_that_runs_and_counts_as_dead_is_found_with_its_networks(
    held: Held, believed: Any, processes: Callable[..., str], network: str
) -> None:
    believed.change("network.agents", {"agent_type": "DHCP agent"}, alive=False, heartbeat_timestamp=OLD[:19])
    seen = held(controller={"processes": processes("/usr/bin/python3 /usr/bin/neutron-dhcp-agent")})
    (agent,) = api(seen, "api.network-agent.down")
    (unhosted,) = api(seen, "api.network.not-hosted")
    assert agent.keys["process"] == "running"
    assert (unhosted.keys["network"], unhosted.keys["dead"]) == (network, "yes")


def test_a_network_and_a_router_on_no_agent_are_causes(held: Held, believed: Any, network: str) -> None:
    for read in ("network.dhcp-hosting", "network.l3-hosting"):
        believed.of(read).clear()
    seen = held(controller={"processes": ""})
    assert {c for c, _ in seen.causes} == {"dhcp-agent-not-scheduled", "l3-router-not-hosted"}


def test_a_network_without_dhcp_or_without_servers_needs_no_agent(held: Held, believed: Any) -> None:
    believed.of("network.dhcp-hosting").clear()
    believed.change("network.subnets", {"enable_dhcp": True}, enable_dhcp=False)
    assert "api.network.not-hosted" not in ids(held(controller={"processes": ""}))


def test_namespaces_are_held_against_networks_and_routers(held: Held, believed: Any, network: str) -> None:
    router = believed.of("network.routers")[0]["id"]
    whole = NAMESPACES.format(router=router, network=network)
    seen = held(controller={"netns.list": whole})
    assert not ids(seen) & {"api.network.no-namespace", "api.router.no-namespace", "api.namespace.no-object"}
    seen = held(controller={"netns.list": NAMESPACES.format(router=GONE, network=GONE)})
    assert ids(seen) >= {"api.network.no-namespace", "api.router.no-namespace", "api.namespace.no-object"}
    assert {f.keys["host"] for f in api(seen, "api.router.no-namespace")} == {"controller"}


def test_a_node_that_does_not_say_its_namespaces_proves_nothing(held: Held, believed: Any) -> None:
    seen = held(controller={"netns.list": (1, "Operation not permitted")})
    assert not ids(seen) & {"api.network.no-namespace", "api.router.no-namespace"}


@pytest.mark.parametrize(
    ("status", "task", "updated", "found"),
    [
        ("ERROR", None, "2026-11-22T22:00:00Z", ("api.server.error", Severity.WARNING)),
        ("ERROR", None, "2026-11-20T22:00:00Z", ("api.server.error", Severity.INFO)),
        ("ACTIVE", "deleting", "2026-11-22T21:00:00Z", ("api.server.stuck", Severity.WARNING)),
        ("BUILD", "spawning", "2026-11-22T22:13:30Z", None),
        ("BUILD", None, "2026-11-22T22:13:30Z", None),
        ("ACTIVE", "image_uploading", "2026-11-22T21:00:00Z", None),
        ("SHUTOFF", None, "2026-11-01T00:00:00Z", None),
    ],
)
def test_servers_in_error_and_in_a_task_for_long(
    held: Held, believed: Any, status: str, task: str | None, updated: str, found: tuple[str, Severity] | None
) -> None:
    values = {"status": status, "OS-EXT-STS:task_state": task, "updated": updated}
    believed.of("compute.servers")[0].update(values)
    seen = held(controller={"processes": ""})
    told = [(f.id, f.severity) for f in seen.every if f.id.startswith("api.server.")]
    assert told == ([] if found is None else [found])


def test_a_port_is_down_only_where_its_server_runs(held: Held, believed: Any) -> None:
    believed.change("network.ports", {"device_id": VM1}, status="DOWN")
    assert "api.port.down" in ids(held(controller={"processes": ""}))
    believed.of("compute.servers")
    believed.change("compute.servers", {"id": VM1}, status="SHUTOFF", **{"OS-EXT-STS:power_state": 4})
    assert "api.port.down" not in ids(held(controller={"processes": ""}))


def test_a_port_that_could_not_be_bound_is_a_cause_and_an_unbound_one_is_none(held: Held, believed: Any) -> None:
    believed.change("network.ports", {"device_id": VM1}, updated_at="2026-11-22T22:00:00Z", binding__vif_type="unbound")
    assert "api.port.binding-failed" not in ids(held(controller={"processes": ""}))
    believed.change("network.ports", {"device_id": VM1}, binding__vif_type="binding_failed")
    seen = held(controller={"processes": ""})
    assert seen.causes == [("neutron-port-binding-failed", "compute1")]


LINK = (
    '[{{"ifindex": 1, "ifname": "lo", "flags": ["LOOPBACK", "UP"], "mtu": 65536, "link_type": "loopback",'
    ' "address": "00:00:00:00:00:00", "operstate": "UNKNOWN"}},'
    ' {{"ifindex": 9, "ifname": "{0}", "flags": ["UP", "LOWER_UP"], "mtu": 1450, "link_type": "ether",'
    ' "address": "fe:16:3e:00:00:01", "operstate": "UP", "linkinfo": {{"info_kind": "tun"}}}}]'
)
DOMAIN = """<domain type='qemu'><name>instance-00000001</name><uuid>{0}</uuid><devices>{1}</devices></domain>"""
LIST = " Id   Name                State\n-----------------------------------\n 3    instance-00000001   running\n\n"


def compute(tap: str, disks: str = "") -> dict[str, str]:
    interface = f"<interface type='bridge'><mac address='fa:16:3e:00:00:01'/><target dev='{tap}'/></interface>"
    return {
        "links.host": LINK.format(tap),
        "netns.list": "",
        "libvirt.list": LIST,
        "libvirt.dumpxml instance-00000001": DOMAIN.format(VM1, interface + disks),
    }


def test_a_tap_and_its_port_belong_together(held: Held, believed: Any) -> None:
    port = next(p["id"] for p in believed.of("network.ports") if p["device_id"] == VM1)
    seen = held(compute1=compute(f"tap{port[:11]}"))
    assert not ids(seen) & {"api.port.no-tap", "api.tap.no-port"}
    seen = held(compute1=compute("tap01234567-89"))
    (lost,) = api(seen, "api.port.no-tap")
    (left,) = api(seen, "api.tap.no-port")
    assert (lost.keys["port"], lost.keys["host"]) == (port[:11], "compute1")
    assert (left.keys["port"], left.severity) == ("01234567-89", Severity.WARNING)


def test_ports_that_were_not_all_read_prove_nothing(held: Held, believed: Any) -> None:
    believed.rows["api.network.ports"]["complete"] = False
    assert "api.tap.no-port" not in ids(held(compute1=compute("tap01234567-89")))


def test_allocations_of_nobody_are_leaked_and_those_of_a_migration_are_not(held: Held, believed: Any) -> None:
    provider = believed.of("placement.providers")[0]["uuid"]
    believed.of("placement.allocations").append({"id": GONE, "resources": {"VCPU": 4}, "of": provider})
    seen = held(controller={"processes": ""})
    assert seen.causes == [("placement-leaked-allocations", "compute1")]
    believed.of("compute.migrations").append({"uuid": GONE, "status": "running"})
    assert "api.allocation.no-instance" not in ids(held(controller={"processes": ""}))
    believed.of("compute.migrations").clear()
    believed.of("compute.servers-recent").append({"id": GONE})
    assert "api.allocation.no-instance" not in ids(held(controller={"processes": ""}))


def test_a_provider_of_the_hosts_name_with_another_id_is_a_conflict(held: Held, believed: Any) -> None:
    believed.change("compute.hypervisors", {"hypervisor_hostname": "compute2"}, id=GONE)
    seen = held(controller={"processes": ""})
    assert seen.causes == [("placement-provider-conflict", "compute2")]
    believed.change("compute.hypervisors", {"id": GONE}, state="down")
    assert "api.provider.missing" not in ids(held(controller={"processes": ""}))


def test_a_compute_service_without_hypervisor_is_in_no_cell(
    held: Held, believed: Any, running: Callable[..., str]
) -> None:
    believed.rows["api.compute.hypervisors"]["rows"] = [
        row for row in believed.of("compute.hypervisors") if row["hypervisor_hostname"] != "compute1"
    ]
    seen = held(compute1={"processes": running(NOVA_COMPUTE)})
    assert ("nova-cell-not-mapped", "compute1") in seen.causes
    young = held(compute1={"processes": running(NOVA_COMPUTE, age=20)})
    assert "api.hypervisor.missing" not in ids(young)


def test_a_service_that_runs_and_is_listed_nowhere(held: Held, believed: Any, processes: Callable[..., str]) -> None:
    nodes = {n: {"processes": processes(NOVA_COMPUTE)} for n in ("compute1", "compute2")}
    nodes["controller"] = {"processes": processes("")}
    assert "api.service.unknown" not in ids(held(**nodes))
    row = next(r for r in believed.of("compute.services") if r["host"] == "compute1")
    believed.of("compute.services").remove(row)
    (found,) = api(held(**nodes), "api.service.unknown")
    assert found.keys["host"] == "compute1"


@pytest.mark.parametrize(
    ("updated", "stuck"), [("2026-11-22T21:00:00.000000", True), ("2026-11-22T22:13:00.000000", False)]
)
def test_a_volume_is_stuck_after_minutes_not_seconds(held: Held, believed: Any, updated: str, stuck: bool) -> None:
    believed.of("volume.volumes")[0].update({"status": "detaching", "updated_at": updated})
    seen = held(controller={"processes": ""})
    assert ("api.volume.stuck" in ids(seen)) is stuck
    assert [c for c, _ in seen.causes] == (["volume-stuck-attachment"] if stuck else [])


def test_an_attachment_to_a_server_that_is_gone(held: Held, believed: Any) -> None:
    volume = believed.of("volume.volumes")[0]
    believed.change("compute.servers", {"id": VM1}, **{"os-extended-volumes:volumes_attached": []})
    volume["attachments"] = [{"server_id": GONE}]
    for attachment in believed.of("volume.attachments"):
        attachment["instance"] = GONE
    seen = held(controller={"processes": ""})
    (found,) = api(seen, "api.attachment.differs")
    assert (found.keys["by"], found.keys["gone"], found.severity) == ("cinder", "yes", Severity.WARNING)
    believed.change("compute.servers", {"id": VM1}, **{"os-extended-volumes:volumes_attached": [{"id": volume["id"]}]})
    volume["attachments"] = [{"server_id": VM1}]
    for attachment in believed.of("volume.attachments"):
        attachment["instance"] = VM1
    assert "api.attachment.differs" not in ids(held(controller={"processes": ""}))


@pytest.mark.parametrize(
    ("result", "severity"),
    [
        ({"code": 503}, Severity.ERROR),
        ({"code": 401}, None),
        ({"code": 300}, None),
        ({"code": 502, "interface": "internal"}, Severity.WARNING),
        ({"code": 504, "type": "alarming"}, Severity.WARNING),
    ],
)
def test_an_endpoint_is_down_when_nobody_is_behind_it(
    held: Held, believed: Any, result: dict[str, Any], severity: Severity | None
) -> None:
    believed.rows["api.endpoints compute public"]["rows"][0].update(result)
    found = api(held(controller={"processes": ""}), "api.endpoint.down")
    assert [f.severity for f in found] == ([] if severity is None else [severity])


def test_a_full_pool_is_a_warning_and_a_full_link_network_is_not(held: Held, believed: Any, network: str) -> None:
    row = next(r for r in believed.of("network.availability") if r["network_id"] == network)
    row["subnet_ip_availability"][0].update({"total_ips": 101, "used_ips": 101})
    assert "api.network.addresses-used-up" in ids(held(controller={"processes": ""}))
    row["subnet_ip_availability"][0].update({"total_ips": 2, "used_ips": 2})
    assert "api.network.addresses-used-up" not in ids(held(controller={"processes": ""}))


def test_the_sample_is_json_that_a_person_can_read(believed: Any) -> None:
    assert json.loads(json.dumps(believed.rows))
