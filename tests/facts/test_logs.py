"""What a node's log scan says, as a fact."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.collect.plan import LOG_PROBE
from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.log_sources import LOG_SOURCES
from stackdoctor.facts.logs import LogHits
from stackdoctor.facts.signatures import Signature, load_signatures
from stackdoctor.model import Node, NodeResults, Result, Severity, Status
from stackdoctor.snapshot.log_names import source_of

HUNG = json.loads((Path(__file__).parent / "samples" / "logs" / "hits-conductor-hung.json").read_text())
YAML = Path(__file__).parents[2] / "checks" / "logs"


@pytest.fixture(scope="module")
def signatures() -> dict[str, Signature]:
    return {signature.id: signature for signature in load_signatures([YAML / "oslo_messaging.yaml"])}


def parsed(value: object, status: Status = Status.RAN) -> LogHits:
    return read(json.dumps(value).encode(), status)


def read(stdout: bytes, status: Status = Status.RAN) -> LogHits:
    result = Result(LOG_PROBE.id, "logs", status=status, stdout=stdout)
    return LogHits.parse(NodeResults(Node("compute1"), {(LOG_PROBE.id, ""): result}))


def hit(signature: str, last: float, **other: Any) -> dict[str, Any]:
    made = {
        "signature": signature,
        "service": "nova-compute",
        "path": "/var/log/nova/nova-compute.log",
        "keys": {},
        "count": 1,
        "first": last,
        "last": last,
        "minutes": {str(int(last // 60)): 1},
        "samples": [],
    }
    return made | other


def scan(*hits: dict[str, Any], files: tuple[dict[str, Any], ...] = ()) -> LogHits:
    return parsed({"since": 0.0, "until": 1000.0, "grep": "gnu", "files": list(files), "hits": list(hits)})


def test_a_recorded_scan_is_read_with_counts_times_and_keys() -> None:
    timeout = parsed(HUNG).of("rpc-timeout")[0]
    assert (timeout.count, dict(timeout.keys)) == (6, {"topic": "conductor", "callee": "nova-conductor"})
    assert timeout.first == 1795366257.207
    assert sum(timeout.minutes.values()) == timeout.count
    assert timeout.samples[0].text.startswith("2026-11-22 16:52:14.297 879 ERROR oslo_service.periodic_task")


def test_the_age_of_a_hit_is_counted_from_the_scan() -> None:
    assert scan(hit("rpc-timeout", 940.0)).hits[0].age == 60.0


def test_the_evidence_is_a_line_with_its_place_in_the_file() -> None:
    evidence = parsed(HUNG).of("rpc-timeout")[0].evidence
    assert (evidence.node, evidence.source) == ("compute1", "/var/log/nova/nova-compute.log:212")
    assert evidence.line.endswith("to message ID 2e89b25aa2244a50be96a135e0a608bc")


def test_a_hit_becomes_a_finding_in_the_words_of_its_signature(signatures: dict[str, Signature]) -> None:
    finding = parsed(HUNG).of("rpc-timeout")[0].finding(signatures["rpc-timeout"])
    assert finding.id == "log.rpc-timeout"
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        "nova-compute on compute1 waited in vain for an RPC reply from nova-conductor (topic conductor)"
    )
    assert dict(finding.keys) == {"service": "nova-compute", "topic": "conductor", "callee": "nova-conductor"}
    assert finding.count == 6
    assert "Timed out waiting for a reply" in finding.evidence[0].line


def test_the_line_that_shows_it_is_evidence_even_when_it_ends_a_traceback(signatures: dict[str, Signature]) -> None:
    tail = "2017-08-26 13:13:42.123 7 ERROR nova MessagingTimeout: Timed out waiting for a reply to message ID cc8c"
    sample = {"time": 1.0, "line": None, "offset": 0, "text": f"2017-08-26 13:13:42.123 7 ERROR nova [-] Oops\n{tail}"}
    found = scan(hit("rpc-timeout", 1.0, samples=[sample])).hits[0]
    evidence = found.finding(signatures["rpc-timeout"]).evidence[0]
    assert (evidence.line, evidence.source) == (tail, "/var/log/nova/nova-compute.log")


class TestRecovery:
    def test_a_later_line_of_the_same_log_says_that_it_is_over(self, signatures: dict[str, Signature]) -> None:
        hits = scan(hit("service-report-lost", 100.0), hit("service-report-recovered", 130.0))
        assert hits.recovered(hits.hits[0], signatures["service-report-lost"])

    def test_an_earlier_line_says_nothing(self, signatures: dict[str, Signature]) -> None:
        hits = scan(hit("service-report-lost", 100.0), hit("service-report-recovered", 90.0))
        assert not hits.recovered(hits.hits[0], signatures["service-report-lost"])

    def test_another_log_says_nothing(self, signatures: dict[str, Signature]) -> None:
        other = hit("service-report-recovered", 130.0, path="/var/log/nova/nova-scheduler.log")
        hits = scan(hit("service-report-lost", 100.0), other)
        assert not hits.recovered(hits.hits[0], signatures["service-report-lost"])

    def test_another_broker_says_nothing(self, signatures: dict[str, Signature]) -> None:
        lost = hit("rpc-unreachable", 100.0, keys={"broker": "192.0.2.1", "port": "5672", "reason": "timed out"})
        back = hit("rpc-reconnected", 130.0, keys={"broker": "192.0.2.2", "port": "5672"})
        hits = scan(lost, back)
        assert not hits.recovered(hits.hits[0], signatures["rpc-unreachable"])

    def test_keys_are_compared_under_their_names_in_findings(self) -> None:
        signatures = {signature.id: signature for signature in load_signatures([YAML / "iscsi.yaml"])}
        broken = hit("kernel-iscsi-conn-error", 100.0, keys={"a": "1:0", "code": "1022"})
        hits = scan(broken, hit("iscsid-recovered", 130.0, keys={"connection": "2:0"}))
        assert not hits.recovered(hits.hits[0], signatures["kernel-iscsi-conn-error"])
        hits = scan(broken, hit("iscsid-recovered", 130.0, keys={"connection": "1:0"}))
        assert hits.recovered(hits.hits[0], signatures["kernel-iscsi-conn-error"])

    def test_the_rotated_part_of_a_log_belongs_to_it(self, signatures: dict[str, Signature]) -> None:
        before = hit("service-report-lost", 100.0, path="/var/log/nova/nova-compute.log.1")
        hits = scan(before, hit("service-report-recovered", 130.0))
        assert hits.recovered(hits.hits[0], signatures["service-report-lost"])


def test_files_that_could_not_be_read_are_told() -> None:
    made = {"service": "nova-api", "format": "oslo", "bytes": 0, "first": None, "last": None}
    statuses = {"a": "read", "b": "denied", "c": "out-of-window", "d": "unreadable: I/O error"}
    files = tuple(made | {"path": path, "status": status} for path, status in statuses.items())
    assert [file.path for file in scan(files=files).unread] == ["b", "d"]


def test_what_syslog_writes_into_two_files_counts_once() -> None:
    same = {"keys": {"process": "qemu-system-x86"}, "count": 2, "first": 5.0}
    hits = scan(
        hit("kernel-oom", 9.0, service="syslog", path="/var/log/syslog", **same),
        hit("kernel-oom", 9.0, service="kernel", path="/var/log/kern.log", **same),
        hit("kernel-oom", 10.0, service="kernel", path="/var/log/kern.log", **same),
    )
    assert [(found.service, found.last) for found in hits.hits] == [("syslog", 9.0), ("kernel", 10.0)]


def test_a_node_whose_logs_were_not_scanned_could_not_be_checked() -> None:
    with pytest.raises(CouldNotCheck):
        LogHits.parse(NodeResults(Node("compute1")))


def test_a_scan_that_was_cut_off_is_refused() -> None:
    with pytest.raises(ParseError, match="cut off"):
        parsed(HUNG, Status.TRUNCATED)


def broken(change: Callable[[Any], object]) -> object:
    value = json.loads(json.dumps(HUNG))
    change(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        None,
        broken(lambda v: v.update(until="now")),
        broken(lambda v: v.update(until=float("nan"))),
        broken(lambda v: v.update(since=True)),
        broken(lambda v: v.update(hits={})),
        broken(lambda v: v["files"][0].pop("path")),
        broken(lambda v: v["files"][0].update(bytes=-1)),
        broken(lambda v: v["hits"][0].update(count=1.5)),
        broken(lambda v: v["hits"][0].update(first=10**400)),
        broken(lambda v: v["hits"][0]["keys"].update(topic=3)),
        broken(lambda v: v["hits"][0].update(minutes={"soon": 1})),
        broken(lambda v: v["hits"][0]["samples"][0].update(line="7")),
        broken(lambda v: v["hits"][0]["samples"][0].update(text=None)),
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ParseError):
        parsed(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@given(st.data())
def test_a_scan_with_any_value_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    value = {"root": json.loads(json.dumps(HUNG))}
    *way, last = data.draw(st.sampled_from(places(value)[1:]))
    place: Any = value
    for key in way:
        place = place[key]
    place[last] = data.draw(anything)
    try:
        parsed(value["root"])
    except ParseError:
        return


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ParseError):
        read(data)


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/var/log/nova/nova-compute.log", "nova-compute"),
        ("/var/log/nova/nova-api-metadata.log.1", "nova-api-metadata"),
        ("/var/log/neutron/server.log-20240101.gz", "neutron-server"),
        ("/var/log/neutron/neutron-l3-agent.log", "neutron-l3-agent"),
        ("/var/log/containers/cinder/volume.log", "cinder-volume"),
        ("/var/log/kolla/nova/nova-scheduler.log", "nova-scheduler"),
        ("/var/log/kolla/mariadb/mariadb.log", "mysql"),
        ("/var/log/rabbitmq/rabbit@ctl-1.log", "rabbitmq-server"),
        ("/var/log/rabbitmq/rabbit@ctl-1-sasl.log.3.gz", "rabbitmq-server"),
        ("/var/log/neutron/dnsmasq/8af4f28b-a650-4777-9df9-e50d1c68e83d/dhcp_dns_log", "dnsmasq"),
        ("/var/log/libvirt/qemu/instance-00000004.log", "qemu"),
        ("/var/log/messages-20240101", "syslog"),
        ("/var/log/kern.log", "kernel"),
        ("/var/log/nova/openstack-nova-api.log", "nova-api"),
        ("/opt/openstack-nova-api.log", None),
    ],
)
def test_the_service_is_read_off_the_path(path: str, service: str | None) -> None:
    source = source_of(path, LOG_SOURCES)
    assert (source.service if source is not None else None) == service


def test_no_file_is_listed_twice_by_name() -> None:
    listed = [path for source in LOG_SOURCES for path in source.files]
    assert len(listed) == len(set(listed))
