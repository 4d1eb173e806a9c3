"""A playbook as a runbook: everything in it is there, and its text is inert in every form."""

from __future__ import annotations

import json

import pytest

from stackdoctor.diagnose.playbook import Playbook, load_playbooks, parse_playbook
from stackdoctor.report.runbook import as_json, as_lines, as_markdown

HOSTILE = """
cause: evil
title: "\\e[2J{node} <script>alert(1)</script>"
severity: error
systems: [x]
why: "look ![](http://192.0.2.1/x) | \\e]0;gone\\a"
when:
  - log.x: {node: "{node}", weight: proof}
unless:
  - host.up: {node: "{node}"}
confirm: ["echo ```; rm -rf /tmp/x"]
fix:
  - {do: "reboot\\e[1m", risk: restart, on: "{node}"}
refs: ["javascript:alert(1)", "https://docs.openstack.org/"]
"""


@pytest.fixture(scope="module")
def dnsmasq() -> Playbook:
    return next(p for p in load_playbooks() if p.cause == "dhcp-dnsmasq-dead")


def test_a_runbook_has_grounds_doubts_confirmation_risk_place_and_references(dnsmasq: Playbook) -> None:
    text = "\n".join(as_lines(dnsmasq))
    for wanted in (
        dnsmasq.title,
        dnsmasq.why,
        "When      dhcp.dnsmasq.dead{host: {host}, network: {network}, port: {port}} (proof)",
        "Unless    service.down{service: neutron-dhcp-agent, host: {host}}",
        "Explains  log.dnsmasq-failed{node: {host}}",
        "Shows as  no-address",
        "[restart] on {host}",
        *dnsmasq.confirm,
        *dnsmasq.refs,
    ):
        assert wanted in text, wanted


def test_markdown_has_the_same_sections(dnsmasq: Playbook) -> None:
    text = as_markdown(dnsmasq)
    for heading in (
        "Holds when",
        "Speaks for it",
        "Rules it out",
        "Explains",
        "Shows as",
        "Confirm",
        "Fix",
        "Read more",
    ):
        assert f"## {heading}\n" in text, heading
    assert "- **restart** on `{host}`: " in text
    assert f"<{dnsmasq.refs[0]}>" in text


def test_json_has_every_field_of_the_playbook(dnsmasq: Playbook) -> None:
    value = json.loads(as_json(dnsmasq))
    assert value["schema"] == "stackdoctor/playbook/1"
    assert set(value) == {"schema", *Playbook.__dataclass_fields__}
    assert value["fix"][1]["risk"] == "restart"
    assert value["when"][0][0]["weight"] == 0.95


def test_a_third_partys_text_is_inert() -> None:
    playbook = parse_playbook(HOSTILE, "evil.yaml")
    for text in ("\n".join(as_lines(playbook)), as_markdown(playbook), as_json(playbook)):
        assert "\x1b" not in text
        assert "\x07" not in text
    markdown = as_markdown(playbook)
    assert "```` text" in markdown or "````text" in markdown
    assert "`\\x1b[2J{node} <script>alert(1)</script>`" in markdown
    assert "<javascript:" not in markdown


def test_every_shipped_playbook_prints_in_every_form() -> None:
    for playbook in load_playbooks():
        assert playbook.cause in "\n".join(as_lines(playbook))
        assert as_markdown(playbook).startswith(f"# {playbook.cause}: ")
        assert json.loads(as_json(playbook))["cause"] == playbook.cause
