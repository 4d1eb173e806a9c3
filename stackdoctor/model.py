"""The values that travel from a node to the report: frozen, without I/O.

The words are those of the documentation: a *probe* is asked on a *node* and gives a *result*; results
make a *snapshot*; parsed ones are *facts*; checks turn facts into *findings*; playbooks turn findings
into *diagnoses*.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar, runtime_checkable

from stackdoctor.errors import CouldNotCheck, NotApplicable

__all__ = [
    "API_ROLE",
    "Absence",
    "Clock",
    "Cloud",
    "Cost",
    "Diagnosis",
    "Each",
    "Evidence",
    "Finding",
    "Fix",
    "Node",
    "NodeResults",
    "Probe",
    "Result",
    "Severity",
    "Status",
]

T = TypeVar("T")


class Severity(enum.IntEnum):
    """How bad a finding or a diagnosis is; compares as its weight."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    CRITICAL = 3

    def __str__(self) -> str:
        return self.name.lower()


class Status(str, enum.Enum):
    """How the asking went; what the program said with its exit status is the parser's to judge."""

    RAN = "ran"
    MISSING = "missing"  # the program or the file is not on this node
    DENIED = "denied"  # no permission, or sudo wants a password
    TIMED_OUT = "timed-out"
    TRUNCATED = "truncated"  # it ran, and its output was cut at the probe's cap
    NOT_RUN = "not-run"  # the node was lost or the budget was used up before


API_ROLE = "api"
"""The role of what stands for a cloud's APIs among the nodes: it is asked over HTTP from this machine, and no host."""


@dataclass(frozen=True)
class Node:
    """One host that we reach.  ``name`` is what the report calls it; an empty ``address`` means local."""

    name: str
    address: str = ""
    port: int = 22
    user: str = ""
    key: str = ""
    jump: str = ""
    roles: frozenset[str] = frozenset()
    site: str = ""  # where it stands: the workers that are near it are named so
    named: bool = True  # False: known by its address only, and called by its own host name once it answers


@dataclass(frozen=True)
class Each:
    """The list that a probe is repeated over: one run for every match of ``pattern``'s group 1 in each line."""

    argv: tuple[str, ...]
    pattern: str = r"^(\S+)"
    limit: int = 200


@dataclass(frozen=True)
class Probe:
    """One read-only question to a node: a command, or files to read.

    ``argv`` is run without a shell; ``{each}`` in it stands for the element of ``each``.  ``otherwise``
    lists the forms for older programs, tried in order while the exit status is not 0.  ``files`` are
    globs.  ``container`` is a regular expression on the names of the containers where the program may
    live when it is not on the host.  ``again_after`` asks a second time so many seconds later; that
    result's subject ends in ``#2``.  ``env`` are variables that the command needs.  ``after`` is the id of
    a probe that must have succeeded first: where it did not, this one is not run.  ``costly`` is what a node in
    trouble is spared.  ``settings`` says that the files are of settings: lines that begin with ``#`` or ``;`` come
    empty.  ``head`` says that no more than the first ``cap`` bytes are wanted: the rest is not missed.
    """

    id: str
    argv: tuple[str, ...] = ()
    otherwise: tuple[tuple[str, ...], ...] = ()
    files: tuple[str, ...] = ()
    each: Each | None = None
    root: bool = False
    container: str = ""
    timeout: float = 20.0
    cap: int = 4 * 1024 * 1024
    again_after: float = 0.0
    env: tuple[tuple[str, str], ...] = ()
    after: str = ""
    costly: bool = False
    settings: bool = False
    head: bool = False


@dataclass(frozen=True)
class Result:
    """The raw answer to a probe.  ``started`` is seconds since the epoch on the node's own clock.

    ``subject`` tells several answers of one probe apart: a namespace, a virtual host, a file.
    ``command`` is what an operator would type (or the path of the file).
    """

    probe: str
    command: str
    subject: str = ""
    status: Status = Status.RAN
    exit: int | None = 0
    stdout: bytes = b""
    stderr: bytes = b""
    started: float = 0.0
    seconds: float = 0.0
    reason: str = ""

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 become U+FFFD."""
        return self.stdout.decode("utf-8", "replace")


@dataclass(frozen=True)
class Clock:
    """A node's clock against ours: ``offset`` seconds ahead (± ``error``), zone east of UTC in seconds.

    ``error`` is None where nobody measured it: ``now`` is what a copy of the node's files tells.
    """

    now: float
    offset: float = 0.0
    error: float | None = 0.0
    utc_offset: int = 0
    zone: str = "UTC"


@dataclass(frozen=True)
class Cost:
    """What a look cost its node, by the node's own accounting: seconds of wall time and of processor, bytes, commands.

    ``used_up`` says which part of the budget ended it, ``sparing`` why the node was asked for less; both are empty
    where all was asked.  ``left_out`` are the probes that were not asked for either reason.  What a command has done
    inside a container or another daemon is that one's time, and not counted.
    """

    seconds: float
    cpu: float
    bytes: int
    commands: int
    used_up: str = ""
    sparing: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeResults:
    """What one node answered, by probe and subject; ``failure`` says why there is nothing at all.

    ``cost`` is None where the node did not say: it was lost, or has no agent.
    """

    node: Node
    results: Mapping[tuple[str, str], Result] = field(default_factory=dict)
    clock: Clock | None = None
    hostname: str = ""
    failure: str = ""
    cost: Cost | None = None

    def every(self, probe: Probe) -> tuple[Result, ...]:
        """All answers to ``probe`` (any subject), usable ones or not.  Raises CouldNotCheck if never asked."""
        found = self._by_probe.get(probe.id, ())
        if not found:
            raise CouldNotCheck(self.failure or f"{probe.id} was not asked")
        return found

    @cached_property
    def _by_probe(self) -> Mapping[str, tuple[Result, ...]]:
        found: dict[str, list[Result]] = {}
        for (id_, _), result in self.results.items():
            found.setdefault(id_, []).append(result)
        return {id_: tuple(results) for id_, results in found.items()}

    def usable(self, probe: Probe) -> tuple[Result, ...]:
        """The answers that ran; raises NotApplicable or CouldNotCheck when there is none."""
        found = self.every(probe)
        ran = tuple(r for r in found if r.status in (Status.RAN, Status.TRUNCATED))
        if ran:
            return ran
        worst = next((r for r in found if r.status is not Status.MISSING), found[0])
        if worst.status is Status.MISSING:
            raise NotApplicable(worst.reason or f"{worst.command} is not on this node")
        raise CouldNotCheck(f"{worst.command}: {worst.status.value}" + (f" ({worst.reason})" if worst.reason else ""))

    def one(self, probe: Probe, subject: str = "") -> Result:
        """The usable answer to ``probe`` about ``subject``; raises NotApplicable or CouldNotCheck."""
        for result in self.usable(probe):
            if result.subject == subject:
                return result
        raise CouldNotCheck(f"{probe.id}: no answer about {subject or 'the node'}")

    def evidence(self, result: Result, line: str) -> Evidence:
        """``line`` of ``result`` as evidence."""
        return Evidence(self.node.name, result.command, line)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The very line that shows it: on which node, from which command or ``file:line``."""

    node: str
    source: str
    line: str


@runtime_checkable
class Evident(Protocol):
    """A part of a fact that can show where it was read."""

    @property
    def evidence(self) -> Evidence: ...


@dataclass(frozen=True, init=False, slots=True)
class Finding:
    """One observed abnormality on one subject.

    Checks make it as ``Finding(subject, message, **keys)``; the runner adds id, severity and node.
    ``keys`` are what playbooks join on, in the field's words (topic, host, service, port, network, mac,
    volume ...), always text.  ``first`` and ``last`` are seconds since the epoch: on the node's clock as a check
    gives them, on ours as the runner hands them on.  ``episodes`` are the times at which it held, when it came
    and went: pairs of begin and end, in order.
    """

    subject: str
    message: str
    node: str
    id: str
    severity: Severity
    keys: Mapping[str, str]
    evidence: tuple[Evidence, ...]
    first: float | None
    last: float | None
    count: int
    episodes: tuple[tuple[float, float], ...]
    _own_severity: Severity | None = field(repr=False, compare=False)

    def __init__(
        self,
        subject: object,
        message: str,
        *,
        node: str = "",
        id: str = "",
        severity: Severity | None = None,
        evidence: Evidence | tuple[Evidence, ...] | None = None,
        first: float | None = None,
        last: float | None = None,
        count: int = 1,
        episodes: tuple[tuple[float, float], ...] = (),
        **keys: object,
    ) -> None:
        if evidence is None:
            evidence = (subject.evidence,) if isinstance(subject, Evident) else ()
        values = {
            "subject": str(subject),
            "message": message,
            "node": node,
            "id": id,
            "severity": Severity.WARNING if severity is None else severity,
            "keys": MappingProxyType({k: str(v) for k, v in keys.items() if v is not None}),
            "evidence": (evidence,) if isinstance(evidence, Evidence) else tuple(evidence),
            "first": first,
            "last": last,
            "count": count,
            "episodes": episodes,
            "_own_severity": severity,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def past(self) -> bool:
        """Whether it has ended: history, which explains nothing of the present."""
        return self.keys.get("state") == "past"

    def stamped(
        self, id: str, severity: Severity, node: str, keys: Mapping[str, str] | None = None, ahead: float = 0.0
    ) -> Finding:
        """The same finding as the runner hands it on: with the check's id, severity and node where it has none.

        Its times are moved from a clock that is ``ahead`` seconds of ours to ours.
        """
        own = self._own_severity
        return Finding(
            self.subject,
            self.message,
            node=self.node or node,
            id=self.id or id,
            severity=severity if own is None else own,
            evidence=self.evidence,
            first=None if self.first is None else self.first - ahead,
            last=None if self.last is None else self.last - ahead,
            count=self.count,
            episodes=tuple((begin - ahead, end - ahead) for begin, end in self.episodes),
            **(self.keys if keys is None else keys),
        )


@dataclass(frozen=True)
class Absence:
    """Why a fact is not there on a node: it cannot exist there, or it could not be read."""

    reason: str
    applicable: bool


@dataclass(frozen=True)
class Cloud(Generic[T]):
    """One kind of fact over all nodes: ``facts`` by node name, and why it is absent on the others."""

    facts: Mapping[str, T]
    absent: Mapping[str, Absence] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self.facts.items())

    def __bool__(self) -> bool:
        return bool(self.facts)


@dataclass(frozen=True)
class Fix:
    """One step of the way out.  ``risk``: read-only, restart, config-change or destructive."""

    do: str
    risk: str
    on: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """A playbook that fits: the cause, where it is, what it explains, how to confirm it and what to do.

    ``confidence`` is between 0 and 1; ``chain`` leads from the cause to the symptoms, one sentence a link;
    ``explains`` are all findings that it accounts for, those that it rests on first;
    ``unchecked`` names the excluding evidence that could not be looked at.  ``state`` is now, recovered (it
    has ended) or flapping (it came and went, and may come again); ``episodes`` are the times at which it is
    known to have held, pairs of begin and end on our clock.
    """

    cause: str
    title: str
    severity: Severity
    confidence: float
    where: Mapping[str, str]
    why: str
    chain: tuple[str, ...]
    explains: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    confirm: tuple[str, ...]
    fix: tuple[Fix, ...]
    unchecked: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    state: str = "now"
    episodes: tuple[tuple[float, float], ...] = ()
