"""Whatever a node prints, a fact of the network or of volumes is a value or says why there is none."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts import (
    addresses,
    bridges,
    dnsmasq,
    iscsi,
    libvirt,
    links,
    lvm,
    multipath,
    mysql,
    namespaces,
    neighbours,
    routes,
    rules,
    tgt,
)
from stackdoctor.facts.fact import Fact
from stackdoctor.model import Clock, Node, NodeResults, Probe, Result, Status

FACTS: tuple[type[Fact], ...] = (
    addresses.Addresses,
    bridges.BridgeNetfilter,
    bridges.Bridges,
    bridges.Fdb,
    dnsmasq.Dnsmasq,
    iscsi.DiskPaths,
    iscsi.IscsiSessions,
    libvirt.Domains,
    links.Links,
    lvm.LogicalVolumes,
    lvm.VolumeGroups,
    multipath.Multipath,
    mysql.Mysql,
    namespaces.Listeners,
    namespaces.NamespaceProcesses,
    namespaces.Namespaces,
    neighbours.Neighbours,
    routes.Routes,
    rules.Rules,
    tgt.Targets,
)
SAMPLES = Path(__file__).parent / "samples" / "network"
SUBJECTS = {
    "dnsmasq.files": [f"/var/lib/neutron/dhcp/n/{name}" for name in ("host", "leases", "opts", "pid", "interface")],
    "bridges.netfilter": ["/proc/sys/net/bridge/bridge-nf-call-iptables"],
    "lio.live": [
        "/sys/kernel/config/target/iscsi/iqn.x/tpgt_1/enable",
        "/sys/kernel/config/target/iscsi/iqn.x/tpgt_1/acls/i/info",
    ],
    "libvirt.dumpxml": ["instance-00000001"],
}


def recorded() -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for path in sorted(SAMPLES.glob("*.json")):
        for row in json.loads(path.read_text())["results"]:
            texts.setdefault(row["probe"], []).append(row.get("stdout", ""))
    for name, probe in (
        ("ip-link", "links"),
        ("ip-link-2014", "links"),
        ("ip-addr", "addresses"),
        ("ip-route", "routes"),
    ):
        for where in ("host", "netns"):
            texts.setdefault(f"{probe}.{where}", []).append((SAMPLES / f"{name}.txt").read_text())
    for name, probe in (
        ("brctl-show", "bridges.ports"),
        ("bridge-link", "bridges.ports"),
        ("bridge-fdb", "bridges.fdb"),
    ):
        texts.setdefault(probe, []).append((SAMPLES / f"{name}.txt").read_text())
    return texts


RECORDED = recorded()


@st.composite
def damaged(draw: st.DrawFn, probe: Probe) -> str:
    """A recorded text with a few pieces taken out, put in or doubled, or any text at all."""
    text = draw(st.one_of(st.text(max_size=200), st.sampled_from(RECORDED.get(probe.id) or [""])))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, max(len(text), 1)))
        end = draw(st.integers(start, start + 60))
        piece = draw(
            st.one_of(
                st.text(max_size=12),
                st.sampled_from(
                    ["null", "1e999", "-1", "{}", "[]", '"\\ud800"', "9" * 40, "true", ": ", "\n", " ", ":"]
                ),
                st.just(text[start:end] * 2),
            )
        )
        text = text[:start] + piece + text[end:]
    return text


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_text_gives_a_value_or_the_reason_why_not(fact: type[Fact], data: st.DataObject) -> None:
    results: dict[tuple[str, str], Result] = {}
    for probe in fact.probes:
        for subject in SUBJECTS.get(probe.id, ["a" if probe.each else ""]):
            text = "a (id: 0)\n" if probe.id == "netns.list" and len(fact.probes) > 1 else data.draw(damaged(probe))
            exit_ = data.draw(st.sampled_from([0, 0, 0, 1, 2, 21, 107]))
            error = data.draw(st.sampled_from(["", "tgt daemon", "ERROR 2002 x", "failed to connect", "No such file"]))
            status = data.draw(st.sampled_from([Status.RAN, Status.RAN, Status.RAN, *Status]))
            results[(probe.id, subject)] = Result(
                probe.id, subject or "command", subject, status, exit_, text.encode("utf-8", "replace"), error.encode()
            )
    with contextlib.suppress(NotApplicable, CouldNotCheck):
        repr(fact.parse(NodeResults(Node("n"), results, Clock(1795366000.0)))).encode()


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_a_fact_that_was_not_asked_for_says_so(fact: type[Fact]) -> None:
    with pytest.raises(CouldNotCheck, match="was not asked"):
        fact.parse(NodeResults(Node("n")))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_probes_only_look(fact: type[Fact]) -> None:
    changing = {
        "set",
        "add",
        "del",
        "delete",
        "change",
        "replace",
        "flush",
        "new",
        "create",
        "destroy",
        "-w",
        "--login",
    }
    for probe in fact.probes:
        assert bool(probe.argv) != bool(probe.files)
        for argv in (probe.argv, *probe.otherwise, *([probe.each.argv] if probe.each else [])):
            assert not changing.intersection(argv)
            assert not {"sh", "bash", "-c"}.intersection(argv[:2])
