"""The translated expression lets through every line that the original one finds."""

import re
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackdoctor.facts.ere import nested_repeat, to_ere

ALPHABET = "abAB01 .-_]^[\\\t\x00é€{"

atoms = st.sampled_from(
    [
        *("a", "b", "A", "0", " ", r"\.", r"\[", r"\]", r"\^", r"\{", "-", "é"),
        *(".", r"\d", r"\s", r"\w", r"\D", r"\S", r"\W"),
        *("[ab]", "[^a]", "[a-b0]", r"[\w.-]", r"[^\s\]]", r"[]^-]", r"[\^-]", "[é-ü]", "[^é]", r"[^\d]", "[A-b]"),
    ]
)
quantifiers = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{,2}", "{2,}"])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, quantifiers).map(lambda p: f"(?:{p[0]}){p[1]}"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}|{p[1]})"),
        inner.map(lambda r: f"(?i:{r})"),
        inner.map(lambda r: f"(?={r})"),
        inner.map(lambda r: f"(?<!a)(?:{r})"),
        inner.map(lambda r: f"^{r}"),
        inner.map(lambda r: f"{r}$"),
        inner.map(lambda r: rf"\b(?:{r})"),
    )


regexes = st.recursive(st.tuples(atoms, quantifiers).map("".join), combined, max_leaves=6)


def grep(pattern: str, lines: list[str]) -> set[int]:
    """The numbers of the lines that the real grep finds, called as the node does."""
    done = subprocess.run(
        ["grep", "-E", "-a", "-n", "-e", pattern],
        input=b"".join(line.encode() + b"\n" for line in lines),
        capture_output=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr
    return {int(line.split(b":", 1)[0]) - 1 for line in done.stdout.split(b"\n") if line}


@given(st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
def test_grep_finds_every_line_that_python_finds(data: st.DataObject) -> None:
    regex = data.draw(regexes)
    try:
        pattern = to_ere(regex)
    except ValueError:
        return
    compiled = re.compile(regex, re.ASCII)
    lines = data.draw(st.lists(st.text(ALPHABET, max_size=12), min_size=8, max_size=20))
    if not nested_repeat(regex):  # what fits is found by trial, which such a one makes endless
        lines += data.draw(st.lists(st.from_regex(compiled), max_size=4))
    lines = [line.replace("\n", "") for line in lines]
    missed = {n for n, line in enumerate(lines) if compiled.search(line)} - grep(pattern, lines)
    assert not missed, (regex, pattern, [lines[n] for n in missed])


@pytest.mark.parametrize(
    ("regex", "pattern"),
    [
        (r"(?P<n>\d+) of \w+", r"([0-9]+) of [[:alnum:]_]+"),
        (r"(?i)Oom", "[Oo][Oo][Mm]"),
        (r"a.{2,300}b", "a.{2,}b"),
        (r"a{300}", "a{255,}"),
        (r"x(?=y)z", "xz"),
        (r"(a|b)\1c", "([ab]).*c"),
        (r"^\[x\]$", r"^\[x][[:space:]]*$"),
        (r"é\(x\)", r".+\(x\)"),
        (r"[^\n]*ab", ".*ab"),
    ],
)
def test_the_translation_is_what_grep_reads(regex: str, pattern: str) -> None:
    assert to_ere(regex) == pattern


def test_a_carriage_return_before_the_end_of_the_line_does_not_hide_a_match() -> None:
    assert grep(to_ere("down$"), ["it is down\r"]) == {0}


def test_repeats_of_repeats_stay_small_enough_for_grep() -> None:
    assert grep(to_ere(r"((a{200}){200}){200}b"), ["a" * 400 + "b"]) == {0}


@pytest.mark.parametrize("regex", ["", "a*", r"(?=a)", "^$", ".*", "a|(?!b)", r"(a)?|b", r"[^a]+"])
def test_what_would_match_every_line_is_refused_with_what_to_do(regex: str) -> None:
    with pytest.raises(ValueError, match="give it some text that a line must have"):
        to_ere(regex)


def test_a_newline_is_refused_because_a_line_has_none() -> None:
    with pytest.raises(ValueError, match="`also`"):
        to_ere("a\nb")


@pytest.mark.parametrize("regex", ["(", "a{2,1}", "[b-a]", "(?P<a>x)(?P<a>y)"])
def test_what_python_does_not_compile_is_refused_in_one_sentence(regex: str) -> None:
    with pytest.raises(ValueError, match="is not a Python regular expression"):
        to_ere(regex)


@pytest.mark.parametrize(
    ("regex", "nests"),
    [("(a+)+b", True), ("(?:a|b*)*c", True), ("(?:x(?:y+))+", True), ("(a{2}){3}", False), ("(ab)+c*", False)],
)
def test_a_repeat_inside_a_repeat_is_found(regex: str, nests: bool) -> None:
    assert nested_repeat(regex) is nests
