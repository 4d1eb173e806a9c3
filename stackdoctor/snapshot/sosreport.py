"""A sosreport as the answers of a node: which of its files answers which probe.

sos(1) keeps a command's output in ``sos_commands/PLUGIN/`` under the command itself, all but letters, digits, ``-``,
``_`` and ``.`` as ``_`` and slashes as ``.`` (sos/report/plugins/__init__.py, ``_mangle_command``), and files at their
own path.  Where it asks with other options than we do, ``_ALIKE`` names the spellings whose output our parsers read,
and ``_OTHERWISE`` those that are brought to our columns first.  All else was not asked.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from fnmatch import filter as fnmatch_filter
from fnmatch import fnmatchcase

from stackdoctor.collect.agent.reading import without_comments
from stackdoctor.collect.agent.secrets import redact, redacted_text
from stackdoctor.model import Clock, Probe, Result, Status
from stackdoctor.snapshot.sos_text import (
    broker_report,
    containers,
    cpu_flags,
    cpus,
    disk_usage,
    netstat,
    processes,
    said_time,
    sysctls,
)

__all__ = ["MIXED", "Folders", "Wanted", "asked_as", "clock_of_report", "mangled", "results_of", "wanted_by"]

NAME_MAX = 255
ABSENT = "not in the sosreport"
AUX, AXO = "ps auxwww", "ps axo flags*lstart*"
REPORT = "rabbitmqctl report"
SYSCTL = "sysctl -a"
SYSCTLS = "/proc/sys/"
CPUINFO = "/proc/cpuinfo"
IN_CONTAINER = r"(?:(?:docker|podman)_exec_(?:-\w+_)*[\w.-]+?_)?"

_ALIKE: Mapping[str, tuple[str, ...]] = {
    "tgt.targets": ("tgtadm --lld iscsi --op show --mode target",),
    "netns.list": ("ip netns", "ip netns list"),
    "addresses.host": ("ip -d address", "ip address show", "ip -d addr", "ip address"),
    "addresses.netns": ("ip netns exec {each} ip -d address show", "ip netns exec {each} ip address show"),
    "links.host": ("ip -s -d link", "ip -d -s link", "ip -s -d link show"),
    "links.netns": ("ip netns exec {each} ip -s -d link", "ip netns exec {each} ip -d -s link"),
    "routes.netns": ("ip netns exec {each} ip route show table all",),
    "neighbours.host": ("ip -s -s neigh show", "ip neigh show", "ip neigh"),
    "rules.host": ("ip -4 rule",),
    "services.systemd": ("systemctl show *service --all", "systemctl show service --all"),
    "disks.inodes": ("df -ali -x autofs", "df -ali"),
    "libvirt.list": ("virsh -r list --all", "virsh list --all"),
    "libvirt.dumpxml": ("virsh -r dumpxml {each}", "virsh dumpxml {each}"),
    "ovs.bonds": ("ovs-appctl bond/show",),
    "ovs.flows": ("ovs-ofctl dump-flows {each}", "ovs-ofctl -O OpenFlow13 dump-flows {each}"),
    "rabbitmq.cluster-status": ("rabbitmqctl cluster_status",),
    "rabbitmq.status": ("rabbitmqctl status",),
}

Convert = Callable[["list[str]", datetime], str]
_OTHERWISE: Mapping[str, tuple[tuple[tuple[str, ...], Convert], ...]] = {
    "processes": (((AUX, AXO), lambda said, now: processes(said[0], said[1], now)),),
    "sockets": tuple(
        ((spelling,), lambda said, now: netstat(said[0])) for spelling in ("netstat -W -neopa", "netstat -neopa")
    ),
    "services.docker": ((("docker ps -a",), lambda said, now: containers(said[0])),),
    "services.podman": ((("podman ps -a",), lambda said, now: containers(said[0])),),
    "disks.bytes": tuple(
        ((spelling,), lambda said, now: disk_usage(said[0])) for spelling in ("df -al -x autofs", "df -al")
    ),
    "host.cpus": (((CPUINFO,), lambda said, now: cpus(said[0])),),
    "kvm.processor": (((CPUINFO,), lambda said, now: cpu_flags(said[0])),),
}


def mangled(command: str) -> str:
    """The file name that sos gives to the output of ``command``.

    >>> mangled("/usr/sbin/ovs-vsctl -t 5 show"), mangled("ls -lanR /sys/block")
    ('ovs-vsctl_-t_5_show', 'ls_-lanR_.sys.block')
    """
    name = re.sub(r"^/(usr/|)(bin|sbin)/", "", command)
    name = re.sub(r"[^\w\-\.\/]+", "_", name)
    return name.replace("/", ".").strip(" ._-")[:NAME_MAX]


class Folders:
    """The files below ``root`` (empty, or a path that ends in a slash), to be asked for by glob, as on their node."""

    def __init__(self, root: str, paths: Iterable[str]) -> None:
        self.root = root
        self.children: dict[str, set[str]] = {}
        self.files: set[str] = set()
        self.outputs: dict[str, str] = {}
        for path in paths:
            if not path.startswith(root):
                continue
            name = "/" + path[len(root) :]
            self.files.add(name)
            if name.startswith("/sos_commands/"):
                self.outputs.setdefault(posixpath.basename(name), name)
            while name != "/":
                folder = posixpath.dirname(name)
                inside = self.children.setdefault(folder, set())
                if posixpath.basename(name) in inside:
                    break
                inside.add(posixpath.basename(name))
                name = folder

    def place(self, name: str) -> str:
        """Where the node's file ``name`` lies in the tree."""
        return self.root + name[1:]

    def glob(self, pattern: str) -> list[str]:
        """The files that ``pattern`` finds, as on the node, in order."""
        found = [""]
        for part in pattern.split("/")[1:]:
            if not any(c in part for c in "*?["):
                found = [f"{at}/{part}" for at in found if part in self.children.get(at or "/", ())]
            else:
                inside = ((at, sorted(self.children.get(at or "/", ()))) for at in found)
                found = [f"{at}/{name}" for at, names in inside for name in names if _fits(name, part)]
        return [name for name in found if name in self.files]

    def output(self, command: str) -> str | None:
        """The file that has what ``command`` printed, which may have been run in a container; None without one."""
        if command.startswith("/"):
            return command if command in self.files else None
        if "*" in command:
            shape = mangled(command.replace("*", "0any0")).replace("0any0", "*")
            return next((path for name, path in sorted(self.outputs.items()) if fnmatchcase(name, shape)), None)
        name = mangled(command)
        if name in self.outputs:
            return self.outputs[name]
        if name.startswith("rabbitmqctl") and (ends := sorted(n for n in self.outputs if n.endswith(name))):
            shape_in = re.compile(IN_CONTAINER + re.escape(name))
            return next((self.outputs[n] for n in ends if shape_in.fullmatch(n)), None)
        return None

    def elements(self, command: str) -> Iterator[tuple[str, str]]:
        """For a command with ``{each}``: what that was, as far as the file name says, and the file."""
        before, _, after = command.partition("{each}")
        head = mangled(f"{before}0each0").partition("0each0")[0]
        tail = mangled(f"0each0{after}").partition("0each0")[2]
        for name, path in sorted(self.outputs.items()):
            if name.startswith(head) and name.endswith(tail) and len(name) > len(head) + len(tail):
                each = name[len(head) : len(name) - len(tail) or None]
                if re.fullmatch(r"[\w.:-]+", each) and not each.endswith(".1"):
                    yield each, path


def _fits(name: str, part: str) -> bool:
    return fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))


@dataclass(frozen=True)
class Wanted:
    """One answer that is in the report: the files that it is made of (as on the node), and how."""

    probe: Probe
    subject: str
    command: str
    names: tuple[str, ...]
    convert: Convert | None = None


def wanted_by(probes: Iterable[Probe], folders: Folders) -> list[Wanted]:
    """What the report has for ``probes``."""
    found: list[Wanted] = []
    for probe in probes:
        for name in dict.fromkeys(name for pattern in probe.files for name in folders.glob(pattern)):
            found.append(Wanted(probe, name, name, (name,)))
        if probe.argv:
            found += _commands(probe, folders)
    return found


def _commands(probe: Probe, folders: Folders) -> Iterator[Wanted]:
    forms = [_plain(argv) for argv in (probe.argv, *probe.otherwise)] + list(_ALIKE.get(probe.id, ()))
    if probe.each is not None:
        found: dict[str, str] = {}
        for form in forms:
            for each, name in folders.elements(form):
                found.setdefault(each, name)
        yield from (Wanted(probe, each, name[1:], (name,)) for each, name in found.items())
        return
    printed = (folders.output(form) for form in forms)
    if output := next((name for name in printed if name is not None), ""):
        yield Wanted(probe, "", output[1:], (output,))
        return
    for spellings, convert in _OTHERWISE.get(probe.id, ()):
        names = tuple(kept for spelling in spellings if (kept := folders.output(spelling)) is not None)
        if len(names) == len(spellings):
            yield Wanted(probe, "", " and ".join(name[1:] for name in names), names, convert)
            return


MIXED: Mapping[str, Probe] = {
    REPORT: Probe("rabbitmq.report", cap=64 * 1024 * 1024),
    SYSCTL: Probe("sysctl", cap=16 * 1024 * 1024),
}
"""Commands of sos whose one output answers many of our probes, and as what it is taken."""


def asked_as(probe: Probe) -> str:
    """What the probe asks for, in short."""
    more = f" and {len(probe.files) - 1} more" if len(probe.files) > 1 else ""
    return _plain(probe.argv) or f"{probe.files[0] if probe.files else probe.id}{more}"


def _plain(argv: tuple[str, ...]) -> str:
    words = list(argv)
    if words and words[0] == "env":
        words = words[1:]
        while words and "=" in words[0]:
            words = words[1:]
    return " ".join(words)


def results_of(
    probes: Iterable[Probe], wanted: Iterable[Wanted], contents: Mapping[str, bytes], folders: Folders, clock: Clock
) -> dict[tuple[str, str], Result]:
    """The results of one node, without secrets; what the report has no answer to is not-run, and says so.

    ``contents`` are the files of ``wanted`` as they lie in the tree.
    """
    found: dict[tuple[str, str], Result] = {}
    here = datetime.fromtimestamp(clock.now + clock.utc_offset, timezone.utc).replace(tzinfo=None)
    for want in wanted:
        said = [contents.get(folders.place(name)) for name in want.names]
        if all(part is not None for part in said):
            result = _result(want, [part or b"" for part in said], here, clock)
            if result is not None:
                found[want.probe.id, want.subject] = result
    for answered in (_from_report, _from_sysctl):
        found.update(answered(probes, contents, folders, clock, {id_ for id_, _ in found}))
    for probe in probes:
        if not any(id_ == probe.id for id_, _ in found):
            found[probe.id, ""] = Result(
                probe.id, asked_as(probe), status=Status.NOT_RUN, exit=None, started=clock.now, reason=ABSENT
            )
    return found


def _result(want: Wanted, said: list[bytes], here: datetime, clock: Clock) -> Result | None:
    cut = any(len(part) > want.probe.cap for part in said)
    stdout = said[0][: want.probe.cap]
    if want.convert is not None:
        try:
            stdout = want.convert([part.decode("utf-8", "replace") for part in said], here).encode()
        except ValueError:
            return None
    if want.probe.settings:
        stdout = without_comments(stdout)
    return Result(
        want.probe.id,
        redacted_text(want.command),
        redacted_text(want.subject),
        Status.TRUNCATED if cut else Status.RAN,
        0,
        redact(stdout),
        started=clock.now,
        reason=f"cut after {want.probe.cap} bytes" if cut else "",
    )


def _from_report(
    probes: Iterable[Probe], contents: Mapping[str, bytes], folders: Folders, clock: Clock, known: set[str]
) -> Iterator[tuple[tuple[str, str], Result]]:
    name, content = _mixed(REPORT, contents, folders)
    ids = {probe.id for probe in probes}
    for (probe, vhost), text in broker_report(content).items():
        if probe in ids and probe not in known:
            yield (probe, vhost), Result(probe, name, vhost, stdout=redact(text.encode()), started=clock.now)


def _from_sysctl(
    probes: Iterable[Probe], contents: Mapping[str, bytes], folders: Folders, clock: Clock, known: set[str]
) -> Iterator[tuple[tuple[str, str], Result]]:
    """The files below /proc/sys that probes ask for: sos keeps the kernel's settings by their names."""
    name, content = _mixed(SYSCTL, contents, folders)
    values = sysctls(content)
    for probe in probes:
        for pattern in probe.files if probe.id not in known else ():
            for path in fnmatch_filter(values, pattern) if pattern.startswith(SYSCTLS) else ():
                yield (probe.id, path), Result(probe.id, name, path, stdout=values[path].encode(), started=clock.now)


def _mixed(command: str, contents: Mapping[str, bytes], folders: Folders) -> tuple[str, str]:
    """Where the output of ``command`` lies, and what it is; both empty where the report has none."""
    name = folders.output(command)
    content = contents.get(folders.place(name)) if name else None
    return (name[1:], content.decode("utf-8", "replace")) if name and content is not None else ("", "")


def clock_of_report(date: str, utc: str) -> Clock | None:
    """The node's clock by ``date`` and ``date --utc``; None where the first does not say.

    Without the second its zone is taken for UTC.
    """
    here, there = said_time(date), said_time(utc)
    if here is None:
        return None
    east = 0 if there is None else round((here[0] - there[0]).total_seconds() / 900) * 900
    now = here[0].replace(tzinfo=timezone.utc).timestamp() - east
    return Clock(now, error=None, utc_offset=east, zone=here[1] or "UTC")
