"""Nothing outside the one list of commands can be sent."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import stackdoctor.facts
from stackdoctor.collect.agent import source
from stackdoctor.collect.allowed import ALLOWED, ALLOWED_BY_ITSELF, commands_of, is_allowed, refuse_unlisted
from stackdoctor.errors import UsageError
from stackdoctor.model import Each, Probe


def every_probe() -> Iterator[Probe]:
    for info in pkgutil.iter_modules(stackdoctor.facts.__path__, "stackdoctor.facts."):
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, type):
                yield from getattr(value, "probes", ())


def test_every_command_of_every_fact_is_in_the_list() -> None:
    unlisted = {argv for probe in every_probe() for argv in commands_of(probe) if not is_allowed(argv)}
    assert unlisted == set()


def test_the_agent_runs_no_program_of_its_own_choice_that_is_not_listed() -> None:
    """Every list in its source that begins with a word and is an argv begins with one of the listed programs."""
    lists = [node for node in ast.walk(ast.parse(source())) if isinstance(node, ast.List) and node.elts]
    first = {node.elts[0].value for node in lists if isinstance(node.elts[0], ast.Constant)}
    listed = {form.split()[0] for form, _ in (*ALLOWED, *ALLOWED_BY_ITSELF)}
    assert {word for word in first if isinstance(word, str)} <= listed | {"cat"}


def test_every_line_of_the_list_says_why_it_changes_nothing() -> None:
    assert all(why.strip() for _, why in ALLOWED)
    assert len({form for form, _ in ALLOWED}) == len(ALLOWED)


@pytest.mark.parametrize(
    "argv",
    [
        ("rm", "-rf", "/"),
        ("ip", "-j", "addr", "add", "192.0.2.1/24", "dev", "eth0"),
        ("ip", "netns", "exec", "{each}", "ip", "link", "set", "x", "down"),
        ("rabbitmqctl", "-q", "purge_queue", "conductor"),
        ("systemctl", "restart", "nova-conductor"),
        ("mysql", "--batch", "--connect-timeout=5", "-e", "SHOW TABLES; DROP DATABASE nova"),
        ("mysql", "--batch", "--connect-timeout=5", "-e", "DELETE FROM nova.instances"),
        ("iptables-save", "-f", "/etc/passwd"),
        ("virsh", "-c", "qemu:///system", "dumpxml", "x"),
        ("virsh", "-r", "-c", "qemu:///system", "destroy", "{each}"),
        ("sh", "-c", "true"),
    ],
)
def test_a_command_that_writes_is_not_in_the_list(argv: tuple[str, ...]) -> None:
    assert not is_allowed(argv)


def test_other_forms_and_lists_of_a_probe_are_looked_at_too() -> None:
    for probe in (
        Probe("x", ("nproc",), otherwise=(("reboot",),)),
        Probe("x", ("nproc",), each=Each(("reboot",))),
        Probe("x", ("nproc",), env=(("LD_PRELOAD", "/tmp/x.so"),)),
    ):
        with pytest.raises(UsageError, match="nothing was sent"):
            refuse_unlisted([probe])
