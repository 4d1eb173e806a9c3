"""What is set otherwise than at another look, on recorded real clouds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.diagnose.drift import Difference, drift
from stackdoctor.diagnose.traits import KINDS, traits_of
from stackdoctor.model import NodeResults, Result, Status
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.read import read_snapshot

TIMEOUT = "nova [DEFAULT] rpc_response_timeout"
FIXTURES = Path(__file__).parents[2] / "fixtures"


def recorded(case: str) -> Snapshot:
    return read_snapshot(FIXTURES / case / "snapshot.tar.gz")


def told(differences: tuple[Difference, ...]) -> dict[tuple[str, str, str], tuple[tuple[str, ...], tuple[str, ...]]]:
    return {(d.node, d.kind, d.name): (d.gone, d.new) for d in differences}


@pytest.mark.parametrize("later", ["healthy-busy", "healthy-after-restart", "benign-backlog-drains"])
def test_two_looks_at_a_healthy_cloud_are_set_alike_whatever_moved(later: str) -> None:
    """Counters, processes, packets, reply queues and connections of three real looks differ; no setting does."""
    found = drift(recorded("healthy").nodes, recorded(later).nodes)
    assert (found.differences, found.not_compared) == ((), ())


def test_a_fault_is_told_by_what_it_changed() -> None:
    found = told(drift(recorded("healthy").nodes, recorded("compound-rabbit-block-and-dnsmasq").nodes).differences)
    assert found["compute1", "chain", "iptables filter OUTPUT"] == ((), ("-p tcp -m tcp --dport 5672 -j DROP",))
    assert found["controller", "process", "dnsmasq"] == (("runs",), ())
    assert found["controller", "queue", "compute.compute1"] == (("has a consumer",), ("has no consumer",))
    assert found["controller", "agent", "nova-compute on compute1"] == (("up",), ("down",))


def test_an_mtu_and_a_link_are_told_and_what_was_not_read_is_not_called_gone() -> None:
    """The older of these recordings lack many probes: rules, configuration, agents."""
    found = drift(recorded("healthy").nodes, recorded("mtu-mismatch").nodes)
    of_it = told(found.differences)
    assert of_it["compute1", "interface", "eth2"] == (("mtu 1600",), ("mtu 1400",))
    assert not {kind for _, kind, _ in of_it} & {"configuration", "agent", "version"}
    assert any(
        text.startswith("ServiceConfig, not read now (services.config was not asked)") for text in found.not_compared
    )


def changed(nodes: tuple[NodeResults, ...], node: str, probe: str, old: bytes, new: bytes) -> list[NodeResults]:
    def swap(result: Result) -> Result:
        return replace(result, stdout=result.stdout.replace(old, new)) if result.probe == probe else result

    return [replace(n, results={k: swap(r) for k, r in n.results.items()}) if n.node.name == node else n for n in nodes]


@pytest.mark.parametrize(
    ("probe", "old", "new", "name"),
    [
        (
            "services.config",
            b"rpc_response_timeout = 10",
            b"rpc_response_timeout = 60",
            "nova [DEFAULT] rpc_response_timeout",
        ),
        ("host.uname", b"6.18.44", b"6.18.45", "kernel"),
        ("bridges.netfilter", b"1", b"0", "net.bridge.bridge-nf-call-iptables"),
        ("services.systemd", b"UnitFileState=enabled", b"UnitFileState=disabled", "nova-compute.service"),
    ],
)
def test_each_of_configuration_version_setting_and_service_is_seen(
    probe: str, old: bytes, new: bytes, name: str
) -> None:
    nodes = recorded("healthy").nodes
    found = drift(nodes, changed(nodes, "compute1", probe, old, new))
    assert ("compute1", name) in {(d.node, d.name) for d in found.differences}
    assert {d.node for d in found.differences} == {"compute1"}


def test_rules_in_another_order_are_a_difference_without_a_line() -> None:
    nodes = recorded("healthy").nodes
    first, second = b"-p tcp -m tcp --dport 80 -j RETURN", b"-p tcp -m tcp --dport 22 -j RETURN"
    other = nodes
    for old, new in ((first, b"@"), (second, first), (b"@", second)):
        other = tuple(changed(other, "compute1", "iptables.save", old, new))
    (difference,) = drift(nodes, other).differences
    assert (difference.kind, difference.gone, difference.new) == ("chain", (), ())
    assert difference.before != difference.after


def test_what_cannot_be_parsed_is_said_with_the_reason_and_costs_its_kind_only() -> None:
    nodes = recorded("healthy").nodes
    found = drift(nodes, changed(nodes, "compute2", "iptables.save", b"COMMIT", b"\xff\xfe garbage"))
    assert found.differences == ()
    (text,) = found.not_compared
    assert text.startswith("Iptables, not read now")
    assert text.endswith(": compute2")


def test_every_trait_has_a_kind_that_is_shown_and_no_secret_or_counter() -> None:
    for results in recorded("healthy").nodes:
        traits = traits_of(results)
        every = {key: lines for of_it in traits.by_fact.values() for key, lines in of_it.items()}
        assert {kind for kind, _ in every} <= set(KINDS)
        assert not any(line.startswith("[") and ":" in line.split("]")[0] for lines in every.values() for line in lines)


def test_a_database_that_is_down_has_no_other_version() -> None:
    found = drift(recorded("healthy").nodes, recorded("mysql-down").nodes)
    assert {d.name for d in found.differences if d.kind in ("version", "setting")} == set()
    assert any("the server does not answer" in text for text in found.not_compared)


def test_a_probe_that_was_refused_now_is_not_a_change() -> None:
    nodes = recorded("healthy").nodes

    def refused(result: Result) -> Result:
        return replace(result, status=Status.DENIED, reason="sudo", stdout=b"")

    other = [replace(n, results={k: refused(r) for k, r in n.results.items()}) for n in nodes]
    assert drift(nodes, other).differences == ()
