"""Every log signature that comes with the tool, on its examples, on the others' and on a healthy cloud's logs."""

import re
import subprocess
import time
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from stackdoctor.facts.log_sources import LOG_SOURCES
from stackdoctor.facts.signatures import Example, Signature, load_signatures, to_pattern

ROOT = Path(__file__).parents[2]
HEALTHY = ROOT / "tests" / "facts" / "samples" / "logs" / "healthy"
SIGNATURES = load_signatures([ROOT / "checks" / "logs"])
EXAMPLES = [(signature, example) for signature in SIGNATURES for example in signature.examples]

SERVICES = {source.service for source in LOG_SOURCES if source.service} | {
    *("nova-api", "nova-compute", "nova-conductor", "nova-scheduler", "nova-novncproxy", "nova-api-wsgi", "nova_api"),
    *(
        "neutron-server",
        "neutron-dhcp-agent",
        "neutron-l3-agent",
        "neutron-metadata-agent",
        "neutron-linuxbridge-agent",
    ),
    *(
        "cinder-api",
        "cinder-volume",
        "cinder-backup",
        "glance-api",
        "heat-engine",
        "keystone",
        "ceilometer-polling",
        "aodh-evaluator",
        "gnocchi-metricd",
        "placement-api",
        "horizon",
    ),
}

ALSO_MATCHED = {
    # What one event makes several programs or layers say in one record: the matching one, and whose example it is.
    ("agent-report-failed", "rpc-timeout"),
    ("db-refused", "service-report-lost"),
    ("db-too-many-connections", "nova-cell-unresponsive"),
    ("kvm-missing", "nova-qemu-start-failed"),
    ("nova-alloc-net-failed", "nova-build-aborted"),
    ("qemu-disk-failed", "qemu-image-broken"),
    ("nova-claim-failed", "nova-numa-fail"),
    ("nova-claim-failed", "nova-pci-claim-failed"),
    ("nova-numa-fail", "nova-claim-failed"),
    ("nova-qemu-start-failed", "nova-max-retries"),
    ("nova-qemu-start-failed", "nova-rescheduled"),
    ("nova-spawn-failed", "nova-vif-create-failed"),
    ("periodic-task-error", "rpc-timeout"),
    ("qemu-no-memory", "nova-qemu-start-failed"),
    ("rpc-access-refused", "rpc-conn-exhausted"),
    ("rpc-access-refused", "rpc-unreachable"),
    ("rpc-conn-failed", "rpc-vhost-not-allowed"),
    ("rpc-heartbeat-missed-client", "rpc-unreachable"),
    ("rpc-timeout", "agent-report-failed"),
    ("rpc-timeout", "periodic-task-error"),
    ("rpc-timeout", "service-report-lost"),
    ("rpc-unreachable", "rpc-access-refused"),
    ("rpc-unreachable", "rpc-heartbeat-missed-client"),
    ("service-report-lost", "db-refused"),
    ("service-report-lost", "rpc-timeout"),
}

HEALTHY_FINDINGS = {
    # A restart a few minutes before, and what every cloud says all the time.
    *("agent-report-failed", "rpc-timeout", "rpc-late-reply", "run-outlasted-interval"),
    *("rmq-heartbeat-timeout", "rmq-cookie-refused", "mysql-aborted-connection"),
}


def grep(pattern: str, lines: list[str]) -> list[str]:
    done = subprocess.run(
        ["grep", "-E", "-a", "-e", pattern],
        input="\n".join(lines).encode() + b"\n",
        capture_output=True,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert not done.stderr
    return done.stdout.decode().split("\n")


def logs_of(signature: Signature) -> set[str]:
    return {service for service in SERVICES if any(fnmatchcase(service, glob) for glob in signature.services)}


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda s: s.id)
def test_grep_on_the_node_finds_the_line_of_every_example(signature: Signature) -> None:
    examples = [example.text for example in signature.examples]
    shown = [signature.line_of(text) for text in examples]
    found = grep(to_pattern(signature).grep, [line for text in examples for line in text.split("\n")])
    assert [line for line in shown if line not in found] == []


@pytest.mark.parametrize(("signature", "example"), EXAMPLES, ids=lambda v: v.id if isinstance(v, Signature) else v.era)
def test_the_node_finds_the_example_in_bytes_with_the_same_keys(signature: Signature, example: Example) -> None:
    pattern = to_pattern(signature)
    record = example.text.encode()
    found = next(m for line in record.split(b"\n") if (m := re.search(pattern.regex.encode(), line)))
    read = {name: found[name].decode() for name in pattern.by if found[name]}
    for regex, keys in pattern.also:
        if other := re.search(regex.encode(), record):
            filled = {k: re.sub(r"\{(\w+)\}", lambda m, o=other: (o[m[1]] or b"").decode(), v) for k, v in keys}
            read.update((key, text) for key, text in filled.items() if text)
            break
    assert read == signature.match(example.text)


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda s: s.id)
def test_every_example_is_said_in_one_plain_sentence(signature: Signature) -> None:
    for example in signature.examples:
        read = signature.match(example.text)
        assert read is not None
        said = signature.says("node1", "service1", 3, read)
        assert not re.search(r"[{}\[\]]|  |unknown|\.$", said), said


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda s: s.id)
def test_the_log_of_some_source_is_looked_at(signature: Signature) -> None:
    assert logs_of(signature)


def test_no_example_is_matched_by_another_signature_of_the_same_log() -> None:
    matched = {
        (other.id, signature.id)
        for signature, example in EXAMPLES
        for other in SIGNATURES
        if other is not signature and logs_of(other) & logs_of(signature) and other.match(example.text) is not None
    }
    assert matched == ALSO_MATCHED


def test_examples_are_lines_as_they_stand_in_the_file() -> None:
    stamped = re.compile(
        r"\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d|=\w+ REPORT====|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
        r"|\[[A-Z][a-z]{2} |qemu-system|qcow2: "
    )
    assert [(s.id, e.era) for s, e in EXAMPLES if not stamped.match(e.text)] == []


def test_a_single_line_of_a_log_is_an_error_only_where_the_text_is_the_proof() -> None:
    assert {str(signature.severity) for signature in SIGNATURES} == {"info", "warning", "error"}
    clients = [signature for signature in SIGNATURES if signature.id.startswith(("rpc-", "service-", "agent-"))]
    assert all(signature.severity <= 1 for signature in clients)


def test_recovery_is_no_finding() -> None:
    recoveries = {id_ for signature in SIGNATURES for id_ in signature.recovered_by}
    assert [signature.id for signature in SIGNATURES if signature.id in recoveries and signature.finding] == []


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda s: s.id)
def test_a_hostile_line_does_not_hold_a_node_up(signature: Signature) -> None:
    shown = signature.line_of(signature.examples[0].text)
    parts = [" ", "a", "'", "[", "1.1:", "[instance: ", shown, shown[:-3]]
    began = time.process_time()
    for part in parts:
        re.search(signature.regex, (part * (8000 // len(part)))[:8000])
    assert time.process_time() - began < 0.5


def test_on_a_healthy_cloud_only_what_is_harmless_is_found() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(HEALTHY.glob("*.log")):
        for signature in SIGNATURES:
            if signature.finding and any(fnmatchcase(path.stem, glob) for glob in signature.services):
                for line in path.read_text().split("\n"):
                    if signature.match(line) is not None:
                        found[signature.id].add(path.stem)
    assert set(found) == HEALTHY_FINDINGS
