"""What a host runs out of besides disks: open files, memory, and processes that hang in the kernel."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.host import FileHandles, Load, Memory
from stackdoctor.facts.processes import Process, Processes

NEARLY = 0.95
LEAST = 0.02
SMALL = 512 * 1024 * 1024
STUCK = 3
OLD = 120
BUSY = 4.0

WORK = frozenset(("-", "io_schedule", "rq_qos_wait", "wait_on_page_bit", "folio_wait_bit_common", "submit_bio_wait"))
"""Where a process in state D waits for an ordinary disk; anywhere else it may wait for good."""


@check("host.files.exhausted", severity=Severity.ERROR)
def files_exhausted(handles: FileHandles) -> Iterator[Finding]:
    """The whole host has nearly as many files open as fs.file-max allows: soon nobody can open a file or a socket."""
    if handles.used >= NEARLY * handles.limit:
        yield Finding(
            "open files",
            f"{handles.used} files are open on the host, fs.file-max is {handles.limit}",
            evidence=handles.evidence,
            host=handles.evidence.node,
            used=handles.used,
            limit=handles.limit,
        )


@check("host.memory.low", severity=Severity.WARNING)
def memory_low(memory: Memory) -> Iterator[Finding]:
    """Less than 2 % of the memory (and 512 MiB) is available, nor any swap: the next allocation may end a service."""
    least = min(SMALL, LEAST * memory.total)
    if memory.available < least and memory.swap_free < least:
        yield Finding(
            "memory",
            f"{memory.available // 1048576} MiB of {memory.total // 1048576} MiB are available",
            evidence=memory.evidence,
            host=memory.evidence.node,
        )


@check("host.processes.stuck", severity=Severity.WARNING)
def processes_stuck(processes: Processes, load: Load | None) -> Iterator[Finding]:
    """Several processes wait in the kernel at one place (state D), and cannot be killed: storage that does not answer.

    As a rule it is a file server, an iSCSI or multipath device, or a disk that fails.  A busy disk is no reason:
    processes that wait for one come and go, and are left out unless they have driven up the load.
    """
    waiting: dict[str, list[Process]] = {}
    for process in processes:
        if process.uninterruptible and process.age >= OLD and not _of_the_kernel(process):
            waiting.setdefault(process.wchan, []).append(process)
    for place, own in sorted(waiting.items()):
        high = load is not None and load.five >= BUSY * load.cpus and load.fifteen >= BUSY * load.cpus
        if len(own) < STUCK or (place in WORK and not high):
            continue
        names = sorted({process.service or process.args.partition(" ")[0][:60] for process in own})
        yield Finding(
            own[0],
            f"{len(own)} processes hang in the kernel at {place}: {', '.join(names[:4])}",
            evidence=tuple(process.evidence for process in own[:3]),
            count=len(own),
            host=own[0].evidence.node,
            wchan=place,
        )


def _of_the_kernel(process: Process) -> bool:
    return process.args.startswith("[") or process.pid == 2 or process.ppid == 2
