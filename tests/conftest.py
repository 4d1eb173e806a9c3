"""What holds for all tests."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from stackdoctor.model import Clock, Node, NodeResults, Result, Status

# no test asserts a time: a machine that is busy with something else is no failure
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# a shell that runs the tests in the background has them ignore Ctrl-C, and so would what they start
signal.signal(signal.SIGINT, signal.default_int_handler)
# and nohup has them ignore that the terminal is gone
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# tests of verdicts ask for everything, however busy the machine is with other tests
os.environ["STACKDOCTOR_FULL"] = "1"

# and their runs are nobody's history
os.environ["STACKDOCTOR_KEEP_RUN"] = "no"

Recording = Callable[..., dict[str, NodeResults]]


@pytest.fixture(scope="session")
def recording() -> Recording:
    """``recording(FILE, ...)``: what the nodes of recorded clouds answered, by node; a later file's answers go first.

    A file holds one node or a list of them, each with ``node`` (else the file's name says it), ``now`` and ``results``.
    """

    def read(*files: Path) -> dict[str, NodeResults]:
        nodes: dict[str, NodeResults] = {}
        for file in files:
            value = json.loads(file.read_text())
            for about in value if isinstance(value, list) else [value]:
                name = about.get("node") or file.stem.rpartition(".")[2]
                before = nodes[name].results if name in nodes else {}
                results = {(row["probe"], row.get("subject", "")): _result(row) for row in about["results"]}
                nodes[name] = NodeResults(Node(name), {**before, **results}, Clock(about["now"]), name)
        return nodes

    return read


def _result(row: dict[str, str]) -> Result:
    out, errors = (row.get(name, "").encode() for name in ("stdout", "stderr"))
    status, exit_ = Status(row.get("status", "ran")), row.get("exit", 0)
    return Result(row["probe"], row["command"], row.get("subject", ""), status, exit_, out, errors)
