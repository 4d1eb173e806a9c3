"""Jumps, gotos, returns, policies, marks; and both ways where it cannot be said which."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.errors import ParseError, UsageError
from stackdoctor.facts.iptables import Ip6tables, Iptables
from stackdoctor.firewall.packet import parse_packet
from stackdoctor.firewall.traverse import traverse
from stackdoctor.firewall.verdict import Verdict, describe
from stackdoctor.firewall.walk import Firewall, decide, evaluate, nat

UDP = parse_packet("udp 10.0.0.1:67 > 10.0.0.9:68")


def tables(
    *rules: str, policy: str = "ACCEPT", table: str = "filter", chains: tuple[str, ...] = ("a", "b")
) -> Iptables:
    heads = [f":FORWARD {policy} [0:0]", ":PREROUTING ACCEPT [0:0]", *(f":{chain} - [0:0]" for chain in chains)]
    return Iptables.of("\n".join([f"*{table}", *heads, *(f"-A {rule}" for rule in rules), "COMMIT", ""]))


def verdict(*rules: str, policy: str = "ACCEPT") -> Verdict:
    return evaluate(tables(*rules, policy=policy), None, UDP)


@pytest.mark.parametrize(
    ("rules", "policy", "outcome"),
    [
        ((), "DROP", "drop"),
        (("FORWARD -p udp -j ACCEPT",), "DROP", "accept"),
        (("FORWARD -p udp -j REJECT --reject-with icmp-port-unreachable",), "ACCEPT", "reject"),
        (("FORWARD -j RETURN", "FORWARD -j DROP"), "ACCEPT", "accept"),
        (("FORWARD -j a", "FORWARD -j DROP", "a -j RETURN", "a -j ACCEPT"), "ACCEPT", "drop"),
        (("FORWARD -j a", "FORWARD -j DROP", "a -j b", "a -j ACCEPT", "b -p tcp -j DROP"), "ACCEPT", "accept"),
        (("FORWARD -j a", "FORWARD -j DROP", "a -g b", "a -j ACCEPT", "b -p tcp -j DROP"), "ACCEPT", "drop"),
        (("FORWARD -g a", "FORWARD -j DROP", "a -p tcp -j DROP"), "ACCEPT", "accept"),
        (("FORWARD -j LOG --log-prefix x", "FORWARD", "FORWARD -j NFLOG", "FORWARD -j DROP"), "ACCEPT", "drop"),
        (("FORWARD -j MARK --set-xmark 0x5/0xf", "FORWARD -m mark --mark 0x5 -j DROP"), "ACCEPT", "drop"),
        (("FORWARD -j MARK --or-mark 0x6", "FORWARD -j MARK --and-mark 0x3", "FORWARD -m mark --mark 0x2 -j DROP"),) * 1
        + ("ACCEPT", "drop"),
    ],
)
def test_a_packet_ends_where_the_rules_send_it(rules: tuple[str, ...], policy: str, outcome: str) -> None:
    found = evaluate(tables(*rules, policy=policy), None, replace(UDP, mark=0))
    assert (found.outcome, found.certain, found.reasons) == (outcome, True, ())


def test_the_deciding_rule_and_the_way_to_it_are_told() -> None:
    found = verdict("FORWARD -p tcp -j a", "FORWARD -p udp -j a", "a -s 10.0.0.0/8 -j DROP")
    assert found.rule is not None
    assert found.rule.line == "-A a -s 10.0.0.0/8 -j DROP"
    assert [(s.chain, s.rule and s.rule.number, s.action) for s in found.path] == [
        ("FORWARD", 2, "to a"),
        ("a", 1, "DROP"),
    ]
    told = "\n".join(describe(found))
    assert "FORWARD rule 2: -A FORWARD -p udp -j a" in told
    assert "-s 10.0.0.0/8 (src 10.0.0.1)" in told


def test_an_unknown_match_gives_may_and_says_what_is_unknown() -> None:
    found = verdict("FORWARD -m u32 --u32 0=0 -j DROP")
    assert (found.outcome, found.certain, found.rule, found.passes) == ("may", False, None, None)
    assert found.possible == {"drop", "accept"}
    assert any("--u32 0=0" in line for line in describe(found))


def test_an_unknown_match_does_not_matter_where_both_ways_end_the_same() -> None:
    found = verdict("FORWARD -m u32 --u32 0=0 -j DROP", "FORWARD -j DROP")
    assert (found.outcome, found.certain) == ("drop", True)
    assert found.reasons


def test_drop_or_reject_surely_does_not_pass() -> None:
    assert verdict("FORWARD -m limit --limit 1/sec -j REJECT", "FORWARD -j DROP").passes is False


@pytest.mark.parametrize("target", ["NFQUEUE --queue-num 1", "QUEUE", "WHATEVER", "TPROXY --on-port 1"])
def test_a_target_that_is_not_known_or_asks_a_program_gives_may(target: str) -> None:
    assert verdict(f"FORWARD -j {target}", "FORWARD -j ACCEPT").possible == {"accept", "drop"}


def test_a_mark_that_may_have_been_set_is_followed_both_ways() -> None:
    rules = ("FORWARD -m limit --limit 1/sec -j MARK --set-xmark 0x1", "FORWARD -m mark --mark 0x1 -j DROP")
    assert evaluate(tables(*rules), None, replace(UDP, mark=0)).possible == {"accept", "drop"}
    assert evaluate(tables(*rules, "FORWARD -j DROP"), None, replace(UDP, mark=0)).certain


def test_a_chain_that_is_missing_or_calls_itself_gives_may() -> None:
    assert not verdict("FORWARD -j a", "a -j b", "b -j a").certain
    assert verdict("FORWARD -j a", "a -j a", "FORWARD -j DROP", policy="DROP").possible >= {"drop"}


def test_the_end_of_a_users_chain_is_a_return() -> None:
    found = evaluate(tables("a -p tcp -j DROP"), None, UDP, "a")
    assert (found.outcome, found.passes) == ("return", True)


def test_a_chain_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="no chain"):
        evaluate(tables(), None, UDP, "nowhere")


def test_a_table_that_is_not_there_accepts_and_one_that_cannot_be_shown_may_not() -> None:
    none = evaluate(Iptables.of(""), None, UDP)
    assert (none.outcome, bool(none.reasons)) == ("accept", True)
    hidden = Iptables.of("# Table `filter' is incompatible, use 'nft' tool.\n")
    assert evaluate(hidden, None, UDP).possible == {"accept", "drop"}


def test_legacy_rules_beside_nf_tables_drop_as_well() -> None:
    both = replace(tables("FORWARD -j ACCEPT"), legacy=tables("FORWARD -p udp -j DROP"))
    assert evaluate(both, None, UDP).outcome == "drop"


def test_a_packet_of_the_other_version_is_refused() -> None:
    with pytest.raises(UsageError, match="IPv4 packet"):
        evaluate(Ip6tables.of("*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"), None, UDP)


def test_the_nat_table_names_the_rule_that_translates() -> None:
    rules = tables("PREROUTING -d 10.0.0.9 -j DNAT --to-destination 10.0.0.8", table="nat")
    found = nat(rules, None, UDP)
    assert (found.outcome, found.rule and found.rule.target_args) == ("nat", ("--to-destination", "10.0.0.8"))
    assert nat(tables(table="nat"), None, UDP).outcome == "accept"


def test_rules_for_other_bridge_ports_are_passed_over_without_changing_the_answer() -> None:
    rules = [
        f"FORWARD -m physdev --physdev-{d} tap{i} -j {t}" for i in range(50) for d, t in (("in", "a"), ("out", "b"))
    ]
    rules += ["FORWARD -m physdev ! --physdev-in tap7 -j DROP", "a -j RETURN", "b -s 10.0.0.1 -j ACCEPT"]
    firewall = Firewall(tables(*rules))
    for text, outcome in (
        ("in tap7 out x bridge br1", "accept"),
        ("in tap8 out x bridge br1", "drop"),
        ("in tap7 out tap9 bridge br1", "accept"),
        ("in x out y bridge br1", "drop"),
        ("in x out y routed", "drop"),
    ):
        assert decide(firewall, parse_packet(f"udp 10.0.0.1 > 10.0.0.2 {text}")).outcome == outcome, text
    assert not decide(firewall, UDP).certain


def test_hostile_chains_do_not_keep_us_for_long() -> None:
    doubling = [f"c{i} -j c{i + 1}" for i in range(60) for _ in (1, 2)]
    start = time.process_time()
    found = evaluate(tables("FORWARD -j c0", *doubling, chains=tuple(f"c{i}" for i in range(61))), None, UDP)
    describe(found)
    assert not found.certain
    assert any("too many rules" in reason for reason in found.reasons)
    assert time.process_time() - start < 20


def test_many_open_marks_do_not_multiply() -> None:
    rules = [f"FORWARD -m limit --limit 1/sec -j MARK --or-mark {1 << i:#x}" for i in range(32)]
    start = time.process_time()
    found = evaluate(tables(*rules, "FORWARD -m mark --mark 0x1 -j DROP"), None, replace(UDP, mark=0))
    assert found.possible == {"accept", "drop"}
    assert time.process_time() - start < 5


WORDS = """
-s -d -i -o -p -f -m -j -g ! udp tcp icmp 10.0.0.0/8 10.0.0.0/0x 1:2 : , - 0x1/0x2 --sport --dport --dports --mark
--ctstate NEW --physdev-in tap+ + --match-set S src,dst --icmp-type 3/x --tcp-flags SYN --mac-source --src-range a-b
multiport physdev conntrack set mac mark connmark iprange addrtype pkttype --dst-type --pkt-type a b CT --zone MARK
--set-xmark CONNMARK --restore-mark --nfmask DNAT --to-destination 10.0.0.1:x-y [::1]:1 REDIRECT --to-ports SNAT SET
ACCEPT DROP RETURN NFQUEUE MASQUERADE NETMAP 99999999999999999999999999
"""
words = st.sampled_from(WORDS.split())


@given(
    st.lists(st.tuples(st.sampled_from(["FORWARD", "a", "b", "PREROUTING"]), st.lists(words, max_size=8)), max_size=8)
)
def test_whatever_stands_in_a_listing_there_is_an_answer(rules: list[tuple[str, list[str]]]) -> None:
    lines = [f"{chain} {' '.join(rest)}" for chain, rest in rules]
    try:
        filters, translations = tables(*lines), tables(*lines, table="nat")
    except ParseError:
        return
    for verdict in (
        evaluate(filters, None, UDP),
        traverse(Firewall(replace(filters, tables={**filters.tables, **translations.tables})), UDP),
    ):
        assert verdict.possible
        assert describe(verdict)
