"""The cluster manager of the control nodes: Pacemaker's members, resources and failures, as crm_mon(8) shows them.

>>> shown = '''<pacemaker-result><summary><current_dc present="true" name="ctl1" with_quorum="true"/></summary>
... <nodes><node name="ctl1" online="true"/></nodes><resources>
... <resource id="vip" resource_agent="ocf:heartbeat:IPaddr2" role="Started"><node name="ctl1"/></resource></resources>
... </pacemaker-result>'''
>>> cluster = parse_cluster(shown, lambda line: Evidence("", "", line))
>>> cluster.dc, [str(member) for member in cluster.members], cluster.resources[0].nodes
('ctl1', ['ctl1'], ('ctl1',))

The elements are those of Pacemaker's xml/api/crm_mon-*.rng; Pacemaker 1.1 has the same under another root.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar
from xml.etree import ElementTree

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.answers import output
from stackdoctor.model import Evidence, NodeResults, Probe, Result, Status

__all__ = [
    "PACEMAKER_STATUS",
    "ClusterFailure",
    "ClusterMember",
    "ClusterResource",
    "Fencing",
    "Pacemaker",
    "bounded_xml",
    "parse_cluster",
]

LONGEST = 2 * 1024 * 1024
ROOTS = frozenset(("pacemaker-result", "crm_mon"))
NOT_RUNNING = ("Connection refused", "Connection to cluster failed", "Not connected")

PACEMAKER_STATUS = Probe(
    "pacemaker.status",
    ("crm_mon", "-1", "--output-as=xml"),
    otherwise=(("crm_mon", "-1", "--as-xml"),),
    root=True,
    container="pacemaker",
    timeout=10.0,
)

ShowsLine = Callable[[str], Evidence]


@dataclass(frozen=True)
class ClusterMember:
    """A node as the cluster sees it.  ``unclean``: it may still run resources, and was not fenced."""

    name: str
    online: bool
    unclean: bool
    standby: bool
    maintenance: bool
    pending: bool
    evidence: Evidence

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class ClusterResource:
    """One resource, or one instance of a cloned one.

    ``role`` is Started, Stopped, Master, Promoted, Slave ...; ``nodes`` are where it runs.  ``wanted`` is False
    where an operator stopped it, ``managed`` where the cluster leaves it alone.
    """

    id: str
    agent: str
    role: str
    active: bool
    failed: bool
    blocked: bool
    managed: bool
    wanted: bool
    nodes: tuple[str, ...]
    evidence: Evidence

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True)
class ClusterFailure:
    """A failed operation, as the cluster remembers it: it may have been repaired since."""

    resource: str
    node: str
    task: str
    reason: str
    evidence: Evidence


@dataclass(frozen=True)
class Fencing:
    """One attempt to fence ``target``; ``status`` is success, failed or pending."""

    target: str
    action: str
    status: str
    evidence: Evidence


@dataclass(frozen=True)
class Pacemaker:
    """The cluster as this node sees it.

    ``running`` is False where crm_mon reaches no daemon (``Connection to cluster failed: Connection refused``).
    ``dc`` is the node that decides; it is empty for some twenty seconds after a start, and members then all count as
    unclean.  ``quorum`` is None where there is no such node.
    """

    running: bool
    dc: str
    quorum: bool | None
    fences: bool
    maintenance: bool
    members: tuple[ClusterMember, ...]
    resources: tuple[ClusterResource, ...]
    failures: tuple[ClusterFailure, ...]
    fencings: tuple[Fencing, ...]
    evidence: Evidence
    probes: ClassVar[tuple[Probe, ...]] = (PACEMAKER_STATUS,)

    def __str__(self) -> str:
        return "Pacemaker"

    @classmethod
    def parse(cls, results: NodeResults) -> Pacemaker:
        """The cluster.  Raises NotApplicable without Pacemaker, CouldNotCheck or ParseError."""
        result = results.one(PACEMAKER_STATUS)
        complaint = _complaint(result) if result.status is Status.RAN and result.exit else ""
        if complaint:
            return cls(False, "", None, False, False, (), (), (), (), results.evidence(result, complaint))
        return parse_cluster(output(result), lambda line: results.evidence(result, line))


def _complaint(result: Result) -> str:
    """The line that says that no daemon answers; with --output-as=xml it is an element of standard output."""
    printed = (result.stderr[:4096] + b"\n" + result.stdout[:4096]).decode("utf-8", "replace")
    found = [line.strip() for line in printed.splitlines() if any(word in line for word in NOT_RUNNING)]
    return found[-1][:200].removeprefix("<error>").removesuffix("</error>") if found else ""


def bounded_xml(document: str, what: str) -> ElementTree.Element:
    """The root of ``document``.  Raises ParseError where it is too long, has a document type (entities), is no XML."""
    if len(document) > LONGEST:
        raise ParseError(f"{what}: XML of {len(document)} characters")
    if "<!DOCTYPE" in document or "<!ENTITY" in document:
        raise ParseError(f"{what}: XML with a document type, which the program never prints")
    try:
        return ElementTree.fromstring(document)
    except (ElementTree.ParseError, ValueError) as error:
        raise ParseError(f"{what}: not XML: {error}") from error


def parse_cluster(document: str, evidence: ShowsLine) -> Pacemaker:
    """The cluster that crm_mon's XML tells of.  Raises ParseError."""
    root = bounded_xml(document, "crm_mon")
    if root.tag not in ROOTS:
        raise ParseError(f"crm_mon: not a cluster's status: {root.tag[:80]}")
    status = root.find("status")
    if status is not None and status.attrib.get("code", "0") != "0":
        raise CouldNotCheck(f"crm_mon: {status.attrib.get('message', '')[:200]}")
    dc = root.find("./summary/current_dc")
    if dc is None:
        raise ParseError("crm_mon: without current_dc")
    present = _yes(dc, "present")
    options = root.find("./summary/cluster_options")
    return Pacemaker(
        True,
        dc.attrib.get("name", "") if present else "",
        _yes(dc, "with_quorum") if present else None,
        options is not None and _yes(options, "stonith-enabled"),
        options is not None and _yes(options, "maintenance-mode"),
        tuple(_member(element, evidence) for element in root.findall("./nodes/node")),
        tuple(_resources(root, evidence)),
        tuple(_failure(element, evidence) for element in root.findall("./failures/failure")),
        tuple(_fencing(element, evidence) for element in root.findall("./fence_history/fence_event")),
        evidence(_line(dc, "present", "name", "with_quorum")),
    )


def _yes(element: ElementTree.Element, name: str) -> bool:
    return element.attrib.get(name, "") == "true"


def _line(element: ElementTree.Element, *names: str) -> str:
    shown = (f'{name}="{element.attrib[name][:120]}"' for name in names if name in element.attrib)
    return f"<{element.tag} {' '.join(shown)}>"


def _member(element: ElementTree.Element, evidence: ShowsLine) -> ClusterMember:
    return ClusterMember(
        element.attrib.get("name", ""),
        _yes(element, "online"),
        _yes(element, "unclean"),
        _yes(element, "standby") or _yes(element, "standby_onfail"),
        _yes(element, "maintenance"),
        _yes(element, "pending"),
        evidence(_line(element, "name", "online", "standby", "maintenance", "pending", "unclean")),
    )


def _resources(root: ElementTree.Element, evidence: ShowsLine) -> list[ClusterResource]:
    found: list[ClusterResource] = []
    around: list[tuple[ElementTree.Element, bool]] = [(element, True) for element in root.findall("./resources/*")]
    while around:
        element, wanted = around.pop(0)
        wanted = wanted and not _yes(element, "disabled")
        if element.tag != "resource":
            around[:0] = [(inner, wanted) for inner in element if inner.tag in ("resource", "group")]
            continue
        target = element.attrib.get("target_role", "Started").lower()
        found.append(
            ClusterResource(
                element.attrib.get("id", "").partition(":")[0],
                element.attrib.get("resource_agent", ""),
                element.attrib.get("role", ""),
                _yes(element, "active"),
                _yes(element, "failed"),
                _yes(element, "blocked"),
                _yes(element, "managed"),
                wanted and target != "stopped",
                tuple(node.attrib.get("name", "") for node in element.findall("node")),
                evidence(_line(element, "id", "resource_agent", "role", "active", "blocked", "managed", "failed")),
            )
        )
    return found


def _failure(element: ElementTree.Element, evidence: ShowsLine) -> ClusterFailure:
    # p_mysql_start_0; of a cloned one's instance p_mysql:0_monitor_10000
    task = element.attrib.get("task", "")
    name = element.attrib.get("op_key", "").rpartition("_")[0].removesuffix(f"_{task}").partition(":")[0]
    reason = element.attrib.get("exitreason", "")
    if reason in ("", "none"):
        reason = element.attrib.get("exitstatus", "")
    shown = _line(element, "op_key", "node", "exitstatus", "exitreason", "status", "last-rc-change", "task")
    return ClusterFailure(name, element.attrib.get("node", ""), task, reason[:200], evidence(shown))


def _fencing(element: ElementTree.Element, evidence: ShowsLine) -> Fencing:
    return Fencing(
        element.attrib.get("target", ""),
        element.attrib.get("action", ""),
        element.attrib.get("status", ""),
        evidence(_line(element, "status", "exit-reason", "action", "target", "origin", "completed")),
    )
