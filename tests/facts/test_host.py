from __future__ import annotations

import pytest

from stackdoctor.errors import NotApplicable, ParseError
from stackdoctor.facts.host import Conntrack, FileHandles, Host, HostsFile, Load, Memory
from stackdoctor.model import Node, NodeResults, Probe, Result, Status

MEMINFO = """MemTotal:       24684084 kB
MemFree:        15065840 kB
MemAvailable:   18420740 kB
Buffers:           16932 kB
Cached:          2829976 kB
SwapTotal:       4194300 kB
SwapFree:        4190000 kB
HugePages_Total:       8
HugePages_Free:        2
Hugepagesize:       2048 kB
"""
HOSTS = """# ours
127.0.0.1 localhost
192.168.199.10\tcontroller   # the API too
192.168.199.100 api.lab api
::1     localhost ip6-localhost
192.168.199.10 ctl
10.0.0.1
"""


def answered(probes: tuple[Probe, ...], *texts: str) -> NodeResults:
    results = {}
    for probe, text in zip(probes, texts, strict=True):
        subject = probe.files[0] if probe.files else ""
        results[probe.id, subject] = Result(probe.id, subject or probe.argv[0], subject, stdout=text.encode())
    return NodeResults(Node("controller"), results)


def test_name_kernel_and_uptime_are_read() -> None:
    host = Host.parse(answered(Host.probes, "Linux controller 6.1.0-18-amd64 x86_64\n", "2453.25 4211.18\n"))
    assert (host.hostname, host.kernel, host.machine, host.uptime) == (
        "controller",
        "6.1.0-18-amd64",
        "x86_64",
        2453.25,
    )


def test_load_is_read_with_the_number_of_cpus() -> None:
    load = Load.parse(answered(Load.probes, "38.21 54.89 48.55 7/464 4257\n", "2\n"))
    assert (load.one, load.five, load.fifteen, load.cpus) == (38.21, 54.89, 48.55, 2)


def test_memory_is_in_bytes() -> None:
    memory = Memory.parse(answered(Memory.probes, MEMINFO))
    assert (memory.total, memory.available) == (24684084 * 1024, 18420740 * 1024)
    assert (memory.swap_total, memory.swap_free) == (4194300 * 1024, 4190000 * 1024)
    assert (memory.huge_pages, memory.huge_pages_free) == (8, 2)
    assert memory.evidence.line == "MemTotal:       24684084 kB, MemAvailable:   18420740 kB"


def test_an_old_kernel_does_not_say_what_is_available() -> None:
    memory = Memory.parse(answered(Memory.probes, MEMINFO.replace("MemAvailable:   18420740 kB\n", "")))
    assert memory.available == (15065840 + 16932 + 2829976) * 1024


def test_open_files_are_read_with_a_limit_that_is_none() -> None:
    handles = FileHandles.parse(answered(FileHandles.probes, "3005\t5\t9223372036854775807\n"))
    assert (handles.used, handles.limit) == (3000, 9223372036854775807)


def test_tracked_connections_are_read() -> None:
    conntrack = Conntrack.parse(answered(Conntrack.probes, "261900\n", "262144\n"))
    assert (conntrack.count, conntrack.limit) == (261900, 262144)
    assert conntrack.evidence.line == "261900 of 262144"


def test_without_its_module_nothing_is_tracked() -> None:
    results = {(p.id, ""): Result(p.id, p.files[0], status=Status.MISSING, exit=None) for p in Conntrack.probes}
    with pytest.raises(NotApplicable):
        Conntrack.parse(NodeResults(Node("n"), results))


def test_known_hosts_are_found_by_name_and_by_address() -> None:
    hosts = HostsFile.parse(answered(HostsFile.probes, HOSTS))
    assert hosts.names["192.168.199.10"] == ("controller", "ctl")
    assert hosts.addresses("API") == ("192.168.199.100",)
    assert hosts.addresses("localhost") == ("127.0.0.1", "::1")
    assert hosts.addresses("nobody") == ()
    assert next(iter(hosts)).evidence.line == "127.0.0.1 localhost"


@pytest.mark.parametrize(
    "results",
    [
        answered(Host.probes, "Linux", "1 2"),
        answered(Host.probes, "Linux a b c", "long"),
        answered(Load.probes, "1 2", "2"),
        answered(Load.probes, "1 2 3", "two"),
        answered(Memory.probes, "MemTotal: 1 kB\n"),
        answered(Memory.probes, "MemTotal: 1 pages\nMemFree: 1 kB\n"),
        answered(FileHandles.probes, "1 2"),
        answered(Conntrack.probes, "", "1"),
    ],
)
def test_another_format_is_refused(results: NodeResults) -> None:
    first = next(iter(results.results))[0]
    (fact,) = (f for f in (Host, Load, Memory, FileHandles, Conntrack) if first in {p.id for p in f.probes})
    with pytest.raises(ParseError):
        fact.parse(results)
