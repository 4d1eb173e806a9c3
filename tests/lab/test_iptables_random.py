"""What the evaluator says of a packet is what the kernel does with it: random rules, random packets.

Rules are loaded with iptables-restore, read back with iptables-save, and asked about both ways.  Needs root.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lab.filter_namespaces import (
    Lab,
    assert_same,
    sets_of,
)
from lab.filter_rules import matches, packets, rule_sets

from stackdoctor.firewall.packet import Packet
from stackdoctor.firewall.walk import Firewall, decide

pytestmark = pytest.mark.lab

KERNEL = settings(
    max_examples=25,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@KERNEL
@given(text=rule_sets, batch=st.lists(packets(), min_size=10, max_size=25))
def test_bridged_packets_meet_the_rules_that_the_evaluator_says(lab: Lab, text: str, batch: list[Packet]) -> None:
    tables = lab.load(text)
    firewall = Firewall(tables, sets_of(lab))
    verdicts = [decide(firewall, packet) for packet in batch]
    assert all(verdict.certain for verdict in verdicts), [v.reasons for v in verdicts if not v.certain]
    arrived = lab.send(batch)
    assert_same(lab.counted(), verdicts, tables)
    assert [verdict.passes for verdict in verdicts] == arrived


unknown_matches = st.sampled_from(
    [
        "-m u32 --u32 0&0=0",
        "-m length --length 0:20",
        "-m length --length 0:9999",
        "-m ttl --ttl-eq 64",
        "-m ttl --ttl-gt 64",
    ]
)


@settings(KERNEL, max_examples=15)
@given(
    lines=st.lists(
        st.tuples(
            st.one_of(unknown_matches, unknown_matches, matches), st.sampled_from(["ACCEPT", "DROP", "one", "two"])
        ),
        min_size=1,
        max_size=5,
    ),
    policy=st.sampled_from(["ACCEPT", "DROP"]),
    batch=st.lists(packets(), min_size=5, max_size=10),
)
def test_what_is_not_understood_never_gives_a_wrong_answer(
    lab: Lab, lines: list[tuple[str, str]], policy: str, batch: list[Packet]
) -> None:
    text = f"*filter\n:FORWARD {policy} [0:0]\n:one - [0:0]\n:two - [0:0]\n"
    text += "".join(f"-A FORWARD {match} -j {target}\n" for match, target in lines)
    text += "-A one -m ttl --ttl-eq 64 -j RETURN\n-A one -j DROP\n-A two -p udp -g one\nCOMMIT\n"
    firewall = Firewall(lab.load(text), sets_of(lab))
    verdicts = [decide(firewall, packet) for packet in batch]
    for verdict, came in zip(verdicts, lab.send(batch), strict=True):
        assert ("accept" if came else "drop") in verdict.possible, (text, str(verdict.packet))
