"""Every reader of what others wrote (fuzz/readers.py) takes any bytes; `make fuzz` goes on where this ends.

The facts among them are in tests/facts/test_any_text.py.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stackdoctor

FUZZ = Path(__file__).parent.parent / "fuzz"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZ / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


readers, run = loaded("readers"), loaded("run")
OTHERS = [name for name in readers.READERS if not name.startswith("fact ")]
SEEDS: dict[str, list[bytes]] = {name: [b""] for name in OTHERS}
for number, seed in run.seeds(readers, OTHERS):
    SEEDS[OTHERS[number]].append(seed[:8192])

PIECES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [b"1e999", b"9" * 400, b"\xff", b'"\\ud800"', b"null", b"[", b"{}", b"\n", b"&a [*a", b"-1", b"\0"]
    ),
)


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """A real text with a few pieces taken out or put in."""
    data = draw(st.sampled_from(SEEDS[name]))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        data = data[:start] + draw(PIECES) + data[start + draw(st.integers(0, 12)) :]
    return data


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    readers.READERS[name](data.draw(damaged(name)))


ELSEWHERE = {
    "dissect": "asks tshark, which parses; tests/active/test_dissect.py",
    "load_checks": "the operator's own Python",
    "load_knowledge": "the operator's own files",
    "load_playbooks": "parse_playbook for each file",
    "load_signatures": "the operator's own files; tests/facts/test_signatures.py",
    "load_symptoms": "parse_symptoms for each file",
    "parse_address": "within parse_nodes",
    "parse_mark": "within the rules of the firewall",
    "parse_pattern": "within parse_playbook and parse_symptoms",
    "parse_tap": "the operator's own words; tests/active/test_capture.py",
    "parse_term": "within parse_playbook",
    "read": "any fact",
    "read_ahead": "the operator's own known_hosts; tests/collect/test_hostkeys.py",
    "read_groups": "within read_inventory, as Ansible's YAML",
    "read_hot": "the operator's own template; tests/active/test_smoke.py",
    "read_ignores": "within read_inventory",
    "read_ini": "within read_inventory, as Ansible's INI",
    "read_opening": "what this program itself sent to --demo",
    "read_tree": "within read_all",
    "read_user_config": "within read_inventory, as that of OpenStack-Ansible",
    "reads_wire": "reads nothing",
}
"""Readers that are not fed here, and why."""


def test_no_reader_is_forgotten() -> None:
    """A new public ``parse_...`` or ``read...`` is fed by fuzz/readers.py, or ELSEWHERE says why not."""
    fed = (FUZZ / "readers.py").read_text()
    forgotten = []
    for info in pkgutil.walk_packages(stackdoctor.__path__, "stackdoctor."):
        if info.name.startswith(("stackdoctor.facts", "stackdoctor.checks", "stackdoctor.cli", "stackdoctor.__main__")):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            reads = inspect.isfunction(value) and name.startswith(("parse", "read", "load", "dissect", "decode"))
            if reads and name not in ELSEWHERE and f"import {name}" not in fed and f", {name}" not in fed:
                forgotten.append(f"{info.name}.{name}")
    assert not forgotten
