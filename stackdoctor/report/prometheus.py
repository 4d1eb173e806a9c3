"""The report as metrics: the text format that node_exporter's textfile collector reads.

By Prometheus' exposition formats, version 0.0.4.  There are no time stamps on the samples, since the textfile
collector refuses a file that has any.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from stackdoctor.model import Diagnosis, Severity
from stackdoctor.report.groups import left_open
from stackdoctor.report.hostile import plain
from stackdoctor.report.report import Report
from stackdoctor.report.wording import missed

__all__ = ["to_prometheus"]

Samples = Iterable[tuple[Mapping[str, str], float]]

_OURS = frozenset(("cause", "severity", "state", "node"))
# a scrape sets these itself; what a histogram and a summary need would be taken for theirs
_TAKEN = frozenset(("instance", "job", "le", "quantile"))
_VALUE = 200


def to_prometheus(report: Report) -> str:
    """``report`` as gauges; a root cause that no longer holds has no sample."""
    found = Counter(finding.severity for finding in report.findings)
    open_ = Counter(finding.severity for finding in left_open(report))
    count = len({(gap.check, gap.node) for gap in missed(report)})
    parts = [
        _metric("diagnosis", "How sure it is (0 to 1) that this root cause holds", _diagnoses(report.diagnoses)),
        _metric("findings", "What is abnormal, by severity", _by_severity(found)),
        _metric("unexplained_findings", "What no root cause explains, by severity", _by_severity(open_)),
        _metric("nodes", "Nodes of the cloud that were asked", [({}, len(report.nodes))]),
        _metric("nodes_unreachable", "Nodes of which nothing is known", [({}, len(report.failed))]),
        _metric("node_up", "Whether anything is known of the node", _nodes(report)),
        _metric("checks_not_made", "Checks that could not be made, over all nodes", [({}, count)]),
        _metric("silenced", "Findings and root causes that the configuration sets aside", [({}, len(report.silenced))]),
        _metric("look_timestamp_seconds", "When the look began, since the epoch", [({}, report.started)]),
        _metric("look_duration_seconds", "How long the look took", [({}, report.seconds)]),
        _metric("build_info", "The version that looked", [({"version": report.version}, 1)]),
    ]
    return "".join(parts)


def _metric(name: str, help_: str, samples: Samples) -> str:
    lines = [f"# HELP stackdoctor_{name} {help_}.", f"# TYPE stackdoctor_{name} gauge"]
    once: dict[tuple[tuple[str, str], ...], float] = {}
    for labels, value in samples:
        # two samples with the same labels make node_exporter refuse the whole file
        key = tuple(labels.items())
        once[key] = max(value, once.get(key, value))
    lines += [f"stackdoctor_{name}{_labels(labels)} {_number(value)}" for labels, value in once.items()]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 3))


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return plain(value, _VALUE).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _diagnoses(diagnoses: Iterable[Diagnosis]) -> Samples:
    for diagnosis in diagnoses:
        where = diagnosis.where
        labels = {
            "cause": diagnosis.cause,
            "severity": str(diagnosis.severity),
            "state": diagnosis.state,
            "node": where.get("node", where.get("host", "")),
        }
        for key, value in sorted(where.items()):
            if key != "node":
                labels.setdefault(_name(key), value)
        yield labels, diagnosis.confidence


def _name(key: str) -> str:
    name = re.sub(r"[^a-zA-Z0-9_]", "_", key) or "_"
    return f"where_{name}" if name in _TAKEN | _OURS or not name[0].isalpha() else name


def _by_severity(counts: Mapping[Severity, int]) -> Samples:
    for severity in sorted(Severity, reverse=True):
        yield {"severity": str(severity)}, counts.get(severity, 0)


def _nodes(report: Report) -> Samples:
    for node in report.nodes:
        yield {"node": node.name}, float(node.status != "failed")
