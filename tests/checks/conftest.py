"""Whole clouds for the checks: what each node answers, what is found there and which causes are named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from stackdoctor.diagnose.correlate import Correlation, correlate
from stackdoctor.diagnose.knowledge import Knowledge, load_knowledge
from stackdoctor.diagnose.runner import Examination, examine
from stackdoctor.model import Clock, Node, NodeResults, Result, Status

Answers = Mapping[str, str | tuple[float, str] | Status]

PS = "PID PPID USER STAT STARTED ELAPSED %CPU %MEM RSS NLWP WCHAN COMMAND\n"
START = "Sun Nov 22 16:05:25 2026"


class Seen:
    """What the checks find and the playbooks make of it."""

    def __init__(self, examination: Examination, correlation: Correlation) -> None:
        self.every = examination.findings
        self.findings = {f.id: f for f in examination.findings}
        self.failed = [m for m in examination.not_checked if m.reason.startswith("the check failed")]
        self.causes = [(d.cause, d.where["node"]) for d in correlation.diagnoses]
        self.explained = {f.id for d in correlation.diagnoses for f in d.explains}


def _node(name: str, answers: Answers) -> NodeResults:
    results: dict[tuple[str, str], Result] = {}
    for asked, said in answers.items():
        probe, _, subject = asked.partition(" ")
        if isinstance(said, Status):
            result = Result(probe, probe, subject, said)
        elif isinstance(said, tuple) and isinstance(said[0], float):
            result = Result(probe, probe, subject, stdout=said[1].encode(), started=said[0])
        elif isinstance(said, tuple):
            result = Result(probe, probe, subject, exit=int(said[0]), stderr=said[1].encode())
        else:
            result = Result(probe, probe, subject, stdout=said.encode())
        results[probe, subject] = result
    return NodeResults(Node(name), results, Clock(1795366000.0), name)


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return load_knowledge()


@pytest.fixture
def look(knowledge: Knowledge) -> Callable[..., Seen]:
    """``look(controller={...}, compute1={...})``: what is seen where these nodes answer so.

    Answers are standard output by ``PROBE`` or ``PROBE SUBJECT``; exit status and standard error; when it was asked (a
    float) and standard output; or a status.
    """

    def at(**nodes: Answers) -> Seen:
        examination = examine([_node(name, answers) for name, answers in nodes.items()], knowledge.checks)
        seen = Seen(examination, correlate(knowledge.playbooks, examination))
        assert not seen.failed
        return seen

    return at


@pytest.fixture
def processes() -> Callable[..., str]:
    """``processes("/usr/sbin/mariadbd", stat="Ssl")``: ps(1)'s table with that process, or with none."""

    def table(command: str = "", stat: str = "Ssl") -> str:
        return PS + (f"396 1 mysql {stat} {START} 2394 0.9 0.8 219620 58 poll {command}\n" if command else "")

    return table


@pytest.fixture
def running() -> Callable[..., str]:
    """``running("/usr/bin/python3 /usr/bin/nova-api", ..., age=2394)``: ps(1)'s table with these processes."""

    def table(*commands: str, age: int = 2394) -> str:
        row = "{0} 1 root Ssl {1} {2} 0.9 0.8 219620 5 poll {3}\n".format
        return PS + "".join(row(396 + at, START, age, command) for at, command in enumerate(commands))

    return table


@pytest.fixture
def logged() -> Callable[..., str]:
    """``logged(("kernel-oom", "syslog", "/var/log/syslog", {"pid": "42"}, 30.0), ...)``: a log scan with these hits.

    Signature, service, file, keys, and how many seconds before the look it was.
    """

    def scan(*hits: tuple[str, str, str, Mapping[str, str], float], now: float = 1795366000.0) -> str:
        rows = [
            {
                "signature": signature,
                "service": service,
                "path": path,
                "keys": dict(keys),
                "count": 1,
                "first": now - ago,
                "last": now - ago,
                "minutes": {},
                "samples": [{"time": now - ago, "line": 1, "offset": 0, "text": signature}],
            }
            for signature, service, path, keys, ago in hits
        ]
        return json.dumps({"since": now - 3600, "until": now, "grep": "gnu", "files": [], "hits": rows})

    return scan
