"""Whatever a node prints, a fact is a value or says why there is none; and the facts keep their contract."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackdoctor.collect.api_reads import is_api_probe
from stackdoctor.collect.plan import LOG_PROBE, merge_probes
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.corosync import Corosync
from stackdoctor.facts.every import every_fact
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.pacemaker import Pacemaker
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.rabbitmq import BrokerStatus, Channels, Connections, Consumers, Queues
from stackdoctor.facts.sockets import Sockets
from stackdoctor.facts.virtual_addresses import VirtualAddresses
from stackdoctor.model import Node, NodeResults, Result, Status
from stackdoctor.snapshot.read import read_snapshot

FACTS = every_fact()
"""From the package itself, so that none can be forgotten."""

SAMPLES = Path(__file__).parent / "samples"
FIXTURES = Path(__file__).parents[2] / "fixtures"
OWN = {
    Corosync: "cluster/*.txt",
    Pacemaker: "cluster/crm-*.xml",
    VirtualAddresses: "cluster/[ck]*",
    BrokerStatus: "rabbitmq-*status*",
    Channels: "rabbitmq-channels*",
    Connections: "rabbitmq-connections*",
    Consumers: "rabbitmq-consumers*",
    Processes: "ps.txt",
    Queues: "rabbitmq-queues*",
    Sockets: "ss-*",
}
SHORT = (
    b"Filesystem Type 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 ext4 264212084 3245 7393 31% /\n",
    b"Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/vda1 16777216 857428 15919788 6% /\n",
    b"Id=a.service\nActiveState=inactive\nMainPID=1\nStateChangeTimestamp=Sun 2026-11-22 17:10:49 UTC\n\nId=b.socket\n",
    b"nova_conductor\tExited (137) 2 days ago\timage\nrabbitmq\tUp 3 weeks\timage\n",
    b"# GALERA saved state\nversion: 2.1\nuuid:    9d6cb548-e6c0\nseqno:   66\nsafe_to_bootstrap: 0\n",
    b"/etc/keystone/fernet-keys:\ntotal 8\n-rw------- 1 640 640 44 1795365000 0\n",
    b"Variable_name\tValue\nwsrep_flow_control_paused_ns\t7214369731\nwsrep_flow_control_sent\t0\n",
    b"host\tservice\tage\ncompute1\tnova-compute\t75\n",
    b"[cache]\nmemcache_servers = ctl1:11211,inet6:[2001:db8::1]:11212\n",
    b"MemTotal:  24684084 kB\nMemFree: 15065840 kB\nHugePages_Total: 8\n",
    b"38.21 54.89 48.55 7/464 4257\n",
    b"C0A8C701,192.168.199.1,3,1795372628.1,-0.00001,0.0,0.0,-11.2,0.003,0.09,0.001,0.0004,64.2,Normal\n",
    b"remote refid st t when poll reach delay offset jitter\n===\n*192.0.2.1 .GPS. 1 u 33 64 377 0.4 -0.2 0.05\n",
    b"[{nodes,[{disc,[rabbit@a]}]},{running_nodes,[rabbit@a]},{partitions,[{rabbit@a,[b]}]},{alarms,[{a,[disk]}]}]\n",
)

WORDS = st.text(alphabet='[]{}<>"\\,:=\t\n -%/@#.0189abT*()', max_size=300).map(str.encode)


@functools.cache
def recorded() -> dict[str, list[bytes]]:
    """What the probes of whole recorded clouds answered, by the probe's id, a few of each."""
    texts: dict[str, list[bytes]] = {}
    for path in sorted(FIXTURES.glob("*/snapshot.tar.gz"))[::12]:
        for node in read_snapshot(path).nodes:
            for result in node.results.values():
                known = texts.setdefault(result.probe, [])
                if len(known) < 5 and 0 < len(result.stdout) < 30_000 and result.stdout not in known:
                    known.append(result.stdout)
    return texts


def printed(fact: type[Fact]) -> st.SearchStrategy[bytes]:
    """What the fact's programs print, whole, cut off and with bytes of it changed; and anything else."""
    known = [text for probe in fact.probes for text in recorded().get(probe.id, ())]
    if fact in OWN:
        known = [path.read_bytes() for path in sorted(SAMPLES.glob(OWN[fact]))]
    known = known or list(SHORT)
    sample = st.sampled_from(known)
    cut = st.builds(lambda text, start, end: text[start:end], sample, st.integers(0, 300), st.integers(0, 9000))
    changed = st.builds(
        lambda text, at, junk: text[:at] + junk + text[at + 1 :], sample, st.integers(0, 9000), st.binary(max_size=9)
    )
    return st.one_of(sample, cut, changed, WORDS, st.binary(max_size=200))


PRINTED = {fact: printed(fact) for fact in FACTS}


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_answer_is_a_value_or_a_reason(fact: type[Fact], data: st.DataObject) -> None:
    results = {}
    texts = PRINTED[fact]
    for probe in fact.probes:
        subjects = st.sampled_from(["", "/", "/#2", "a b", *probe.files])
        for subject in data.draw(st.sets(subjects, min_size=1, max_size=3)):
            results[probe.id, subject] = Result(
                probe.id,
                "asked",
                subject,
                data.draw(st.sampled_from([Status.RAN] * 8 + list(Status))),
                data.draw(st.sampled_from([0, 0, 0, 0, 1, 69, None])),
                data.draw(texts),
                data.draw(texts),
            )
    with contextlib.suppress(CouldNotCheck, NotApplicable):
        repr(fact.parse(NodeResults(Node("n"), results)))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_a_fact_is_a_frozen_dataclass_that_says_what_it_asks(fact: type[Fact]) -> None:
    assert dataclasses.is_dataclass(fact)
    assert fact.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(probe.argv or probe.files or is_api_probe(probe) or probe is LOG_PROBE for probe in fact.probes)


def test_two_probes_with_one_id_are_the_same() -> None:
    merge_probes(probe for fact in FACTS for probe in fact.probes)
