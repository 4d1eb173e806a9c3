"""The hosts in the answers of a real cloud's APIs, and in odd ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stackdoctor.collect.api_reads import API_SOURCE
from stackdoctor.facts.cloud_hosts import hosts_listed
from stackdoctor.model import Node, NodeResults, Result, Status

SAMPLE = Path(__file__).parent / "samples" / "openstack" / "zed.json"


def answered(**rows: list[dict[str, Any]]) -> NodeResults:
    """A node whose APIs gave ``rows``: compute, network, volume."""
    probes = {"compute": "api.compute.services", "network": "api.network.agents", "volume": "api.volume.services"}
    results = {(API_SOURCE.id, ""): Result(API_SOURCE.id, "openstack token issue", stdout=b"{}")}
    for name, listed in rows.items():
        out = json.dumps({"rows": listed, "complete": True, "date": 1.0}).encode()
        results[probes[name], ""] = Result(probes[name], "GET", stdout=out)
    return NodeResults(Node("controller"), results)


def service(binary: str, host: str) -> dict[str, Any]:
    return {"id": "1", "binary": binary, "host": host, "status": "enabled", "state": "up", "alive": True}


def test_a_real_cloud_s_lists_name_its_hosts() -> None:
    kinds = {"api.compute.services": "compute", "api.network.agents": "network", "api.volume.services": "volume"}
    answers = {kinds[r["probe"]]: r["stdout"]["rows"] for r in json.loads(SAMPLE.read_text()) if r["probe"] in kinds}
    found = hosts_listed([answered(**answers)])
    assert set(found.programs) >= {"controller", "compute1", "compute2"}
    assert "nova-conductor" in found.programs["controller"]
    assert "nova-compute" in found.programs["compute1"]


def test_a_host_with_backends_is_one_host() -> None:
    volume = [service("cinder-volume", "storage@lvm#pool"), service("cinder-volume", "storage@ceph")]
    volume.append(service("cinder-scheduler", "storage"))
    assert hosts_listed([answered(volume=volume)]).programs == {
        "storage": {"cinder-volume", "cinder-scheduler"},
    }


def test_a_short_and_a_full_name_are_one_host_unless_two_could_be_meant() -> None:
    compute = [service("nova-compute", "c1.example.com"), service("nova-compute", "c2.a"), service("x", "c2.b")]
    network = [service("neutron-l3-agent", "c1"), service("neutron-l3-agent", "c2")]
    found = hosts_listed([answered(compute=compute, network=network)])
    assert set(found.programs) == {"c1.example.com", "c2", "c2.a", "c2.b"}
    assert found.programs["c1.example.com"] == {"nova-compute", "neutron-l3-agent"}


def test_a_list_that_cannot_be_read_is_said_and_the_others_count() -> None:
    node = answered(compute=[service("nova-compute", "c1")])
    denied = Result("api.network.agents", "GET {network}/agents", status=Status.DENIED, reason="HTTP 403")
    found = hosts_listed([NodeResults(node.node, {**node.results, ("api.network.agents", ""): denied})])
    assert set(found.programs) == {"c1"}
    assert any("network agents" in problem and "HTTP 403" in problem for problem in found.problems)


def test_without_credentials_nothing_is_listed() -> None:
    missing = Result(API_SOURCE.id, "openrc", status=Status.MISSING)
    assert not hosts_listed([NodeResults(Node("a"), {(API_SOURCE.id, ""): missing})]).programs
    assert not hosts_listed([]).programs


def test_the_second_node_is_asked_where_the_first_has_no_credentials() -> None:
    missing = NodeResults(Node("a"), {(API_SOURCE.id, ""): Result(API_SOURCE.id, "x", status=Status.MISSING)})
    assert set(hosts_listed([missing, answered(compute=[service("nova-compute", "c1")])]).programs) == {"c1"}
