"""Markdown for a ticket, read by a real CommonMark parser: nothing that a node said becomes markup."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from stackdoctor.model import Evidence, Finding, Severity
from stackdoctor.report.markdown import to_markdown
from stackdoctor.report.markup import block, code, words
from stackdoctor.report.report import NodeLine, NotChecked, Report

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

EVIL = [
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) ![x](http://192.0.2.1/x.png)",
    "@all please, see #123, GH-7 and OPS-55",
    "```\n# not a heading\n```",
    "`` ` `` <b>",
    "http://192.0.2.1/ and www.example.org",
    "# h",
    "- a",
    "1. a",
    "* * *",
    "---",
    "> q",
    "    code",
    "| a | b |\n|---|---|",
    "&lt;b&gt; &#64;all",
    "\\",
    "~~x~~",
    "a\x1b[2J\u202eb",
]


def tokens(text: str) -> Iterator[Token]:
    for token in READER.parse(text):
        yield token
        yield from token.children or ()


def prose(text: str) -> str:
    return " ".join(token.content for token in tokens(text) if token.type == "text")


def test_the_cause_its_proof_and_the_way_out_are_there(hung: Report) -> None:
    written = to_markdown(hung)
    for said in (
        "### CRITICAL: nova-conductor on controller is running but answers no RPC",
        "**certain 97 %** · `rpc-consumer-hung`",
        "```text\nps -o pid,stat,wchan:24,args -p 39567",
        "- restart, on controller: `kill -CONT 39567`",
        "### Unexplained",
        "### Not looked at",
    ):
        assert said in written
    kinds = [token.tag for token in tokens(written) if token.type == "heading_open"]
    assert kinds[:2] == ["h2", "h3"]


def test_what_is_over_and_silenced_is_said(eventful: Report) -> None:
    written = to_markdown(eventful)
    assert "### Earlier in this window" in written
    assert "NTP comes with the new switch" in written


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_text_is_inert_wherever_it_stands(hung: Report, evil: str) -> None:
    bad = Finding(
        evil, evil, node=evil, id="a.b", severity=Severity.ERROR, evidence=Evidence(evil, evil, evil), key=evil
    )
    cause = dataclasses.replace(
        hung.diagnoses[0],
        title=evil,
        why=evil,
        chain=(evil, evil),
        where={"node": evil},
        confirm=(evil,),
        refs=(evil,),
        evidence=bad.evidence,
        explains=(bad,),
        unchecked=(evil,),
    )
    report = dataclasses.replace(
        hung,
        diagnoses=(cause, cause),
        findings=(bad,),
        unexplained=(bad,),
        source=evil,
        nodes=(NodeLine(evil, evil, "failed", evil), NodeLine("n")),
        not_checked=(NotChecked(evil, evil, evil),),
        history=(cause,),
    )
    written = to_markdown(report)
    kinds = {token.type for token in tokens(written)}
    assert not kinds & {
        "html_inline",
        "html_block",
        "image",
        "link_open",
        "blockquote_open",
        "table_open",
        "code_block",
    }
    assert "@" not in prose(written)
    assert "#1" not in prose(written)
    assert "javascript" not in prose(written)
    assert sum(token.type == "hr" for token in READER.parse(written)) == 1
    assert "\x1b" not in written
    assert "\u202e" not in written


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab `*_[]()<>#@-+=.1|\\!~&:/\n\t"), max_size=20) | st.sampled_from(EVIL))
def test_a_word_is_a_paragraph_and_shows_what_it_is(text: str) -> None:
    parsed = READER.parse(f"- {words(text)}")
    assert [token.type for token in parsed[:3]] in (
        ["bullet_list_open", "list_item_open", "paragraph_open"],
        ["bullet_list_open", "list_item_open", "list_item_close"],
    )
    assert {child.type for token in parsed for child in token.children or ()} <= {"text", "code_inline", "text_special"}
    assert {child.type for token in READER.parse(code(text)) for child in token.children or ()} <= {
        "code_inline",
        "text",
    }
    fences = [token for token in READER.parse("\n".join(block(text))) if token.type == "fence"]
    assert len(fences) == 1
