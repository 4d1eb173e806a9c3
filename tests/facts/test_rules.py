import pytest

from stackdoctor.errors import ParseError
from stackdoctor.facts.namespaces import NETNS_LIST
from stackdoctor.facts.rules import HOST_RULES, Rules, parse_json_rules, parse_text_rules


def test_the_text_form_says_the_same_as_the_json_form(network_sample) -> None:
    assert parse_json_rules(network_sample("ip-rule-json"), "") == parse_text_rules(network_sample("ip-rule"), "")


def test_a_distributed_routers_rules_are_read_in_both_forms() -> None:
    text = "57481:\tfrom 10.10.0.28 lookup 16 \n80000:\tfrom all iif qr-1 fwmark 0x1/0xff lookup 16\n"
    row = (
        '[{"priority":57481,"src":"10.10.0.28","table":"16"},'
        '{"priority":80000,"src":"all","iif":"qr-1","fwmark":"0x1","fwmask":"0xff","table":"16"}]'
    )
    assert parse_text_rules(text, "") == parse_json_rules(row, "")


def test_rules_are_in_the_order_the_kernel_tries_them(recorded_node, answer, answered_node) -> None:
    assert [r.table for r in Rules.parse(recorded_node("healthy.controller")).within()] == ["local", "main", "default"]
    node = answered_node(answer(NETNS_LIST), answer(HOST_RULES, "9:\tfrom all lookup b\n3:\tfrom all lookup a\n"))
    assert [rule.evidence.line for rule in Rules.parse(node).rules] == ["3: from all lookup a", "9: from all lookup b"]


def test_a_rule_without_a_table_says_what_it_does() -> None:
    (row,) = parse_text_rules("100:\tfrom 192.0.2.0/24 unreachable\n", "")
    assert (row.table, row.action) == ("", "unreachable")
    (row,) = parse_json_rules('[{"priority":100,"src":"192.0.2.0","srclen":24,"action":"unreachable"}]', "")
    assert (row.source, row.action) == ("192.0.2.0/24", "unreachable")


@pytest.mark.parametrize("printed", ["from all lookup main", '[{"src":"all"}]', "x: from all"])
def test_what_is_no_rule_is_refused(printed: str, answer, answered_node) -> None:
    with pytest.raises(ParseError):
        Rules.parse(answered_node(answer(NETNS_LIST), answer(HOST_RULES, printed)))
