"""What sos(1) has of a command in other columns, brought to those that the parsers know; nothing is made up.

Each function takes the text that sos kept, and the node's time (naive, its own zone) where that matters, and returns
the text as our own command prints it.  ValueError means that it is not what was expected: the answer is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

__all__ = [
    "broker_report",
    "containers",
    "cpu_flags",
    "cpus",
    "disk_usage",
    "netstat",
    "processes",
    "said_time",
    "sysctls",
]

_AXO = ("PID", "PPID", "WCHAN", "STARTED", "TT", "TIME", "CMD")
_AUX = ("USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND")
_NETSTAT = re.compile(r"Proto +Recv-Q +Send-Q +Local Address +Foreign Address +State +User +Inode +PID/Program name.*")
_SOCKET = re.compile(
    r"(?P<kept>(?:tcp6?|udp6?) +\d+ +\d+ +\S+ +\S+) +(?:(?P<state>[A-Z][A-Z_0-9]+) +)?"
    r"\d+ +\d+ +(?P<holder>-|\d+/.*?) +(?:off|on|keepalive|timewait|unkn-\d+|probe) +\([\d./-]+\) *"
)
_AS_PATH = str.maketrans("./", "/.")
_STYLE = re.compile(r"\x1b\[[0-9;]{0,12}m")
_CLOCK = re.compile(
    r"[A-Z][a-z]{2} +(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) +(?P<clock>\d\d:\d\d:\d\d)(?: (?P<half>[AP]M))?"
    r"(?: (?P<zone>\S{1,8}))? +(?P<year>\d{4})"
)


def said_time(text: str) -> tuple[datetime, str] | None:
    """The time that date(1) printed, and the zone it was printed in; None where that is not the C locale's.

    >>> said_time("Mon Nov 23 01:44:53 UTC 2026")
    (datetime.datetime(2026, 11, 23, 1, 44, 53), 'UTC')
    """
    match = _CLOCK.search(text)
    if match is None:
        return None
    half = match["half"]
    words = [match["day"], match["month"], match["year"], match["clock"], *([half] if half else [])]
    try:
        return datetime.strptime(" ".join(words), "%d %b %Y " + ("%I:%M:%S %p" if half else "%H:%M:%S")), (
            match["zone"] or ""
        )
    except ValueError:
        return None


def processes(aux: str, axo: str, now: datetime) -> str:
    """``ps auxwww`` and ``ps axo flags,state,uid,pid,...,lstart,...`` as one table: who is in both."""
    first, _, rest = axo.partition("\n")
    names = first.split()
    if not set(_AXO) <= set(names) or names[-4:] != ["STARTED", "TT", "TIME", "CMD"]:
        raise ValueError("another ps axo")
    pid_at, parent_at, wchan_at, start_at = (names.index(name) for name in _AXO[:4])
    known = {}
    for line in rest.split("\n"):
        words = line.split(None, start_at + 7)  # the start has five words: Sun Nov 22 16:04:37 2026
        if len(words) > start_at + 5:
            start = words[start_at : start_at + 5]
            began = datetime.strptime(" ".join(start[1:]), "%b %d %H:%M:%S %Y")
            age = max(0, int((now - began).total_seconds()))
            known[words[pid_at]] = (words[parent_at], " ".join(start), age, words[wchan_at])
    first, _, rest = aux.partition("\n")
    if tuple(first.split()) != _AUX:
        raise ValueError("another ps aux")
    rows = ["    PID    PPID USER     STAT                  STARTED ELAPSED %CPU %MEM   RSS NLWP WCHAN COMMAND"]
    for line in rest.split("\n"):
        words = line.split(None, 10)
        if len(words) == 11 and words[1] in known:
            user, pid, cpu, memory, _, rss, _, stat = words[:8]
            parent, began_at, age, wchan = known[pid]
            rows.append(
                f"{pid:>7} {parent:>7} {user:8} {stat:4} {began_at} {age:>7} {cpu:>4} {memory:>4} {rss:>6}    - "
                f"{wchan} {words[10]}"
            )
    return "\n".join(rows) + "\n"


def netstat(text: str) -> str:
    """``netstat -neopa`` without users, inodes and timers: all sockets of TCP and UDP."""
    rows: list[str] = []
    for line in text.split("\n"):
        if _NETSTAT.fullmatch(line):
            rows = ["Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name"]
        elif line.startswith("Active UNIX"):
            break
        elif rows and (match := _SOCKET.fullmatch(line)):
            rows.append(f"{match['kept']} {match['state'] or '':11} {match['holder']}")
    if not rows:
        raise ValueError("another netstat")
    return "\n".join(rows) + "\n"


def containers(text: str) -> str:
    """``docker ps -a`` or ``podman ps -a``: names, status and image of each, by tabs."""
    first, _, rest = text.partition("\n")
    begins = {name: first.find(name) for name in ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "NAMES")}
    if -1 in begins.values():
        raise ValueError("another table of containers")
    ends = sorted([*begins.values(), *([at] if (at := first.find("PORTS")) >= 0 else [])])
    rows = []
    for line in rest.split("\n"):
        if line.strip():
            cells = []
            for name in ("NAMES", "STATUS", "IMAGE"):
                after = [at for at in ends if at > begins[name]]
                cells.append(line[begins[name] : after[0] if after and name != "NAMES" else None].strip())
            cells[0] = cells[0].split()[0] if cells[0] else ""
            if not all(cells):
                raise ValueError("a row of another table")
            rows.append("\t".join(cells))
    return "".join(f"{row}\n" for row in rows)


def disk_usage(text: str) -> str:
    """``df -al``, in blocks of 1024 bytes, under the heading that POSIX has for them."""
    first, _, rest = text.partition("\n")
    if first.split() != ["Filesystem", "1K-blocks", "Used", "Available", "Use%", "Mounted", "on"]:
        raise ValueError("another df")
    return "Filesystem 1024-blocks Used Available Capacity Mounted on\n" + rest


def cpus(text: str) -> str:
    """The number of processors in /proc/cpuinfo."""
    count = len(re.findall(r"(?m)^processor\s*:", text))
    if not count:
        raise ValueError("no processor")
    return f"{count}\n"


def cpu_flags(text: str) -> str:
    """The first line of flags in /proc/cpuinfo."""
    match = re.search(r"(?m)^flags.*$", text)
    if match is None:
        raise ValueError("no flags")
    return match[0] + "\n"


def sysctls(text: str) -> dict[str, str]:
    """The files below /proc/sys that ``sysctl -a`` printed, and what is in them.

    In its names a dot is a slash, and a slash a dot.

    >>> sysctls("net.ipv4.conf.eth0/100.rp_filter = 2\\n")
    {'/proc/sys/net/ipv4/conf/eth0.100/rp_filter': '2\\n'}
    """
    found = {}
    for line in text.split("\n"):
        name, equals, value = line.partition(" = ")
        if equals:
            found["/proc/sys/" + name.translate(_AS_PATH)] = f"{value}\n"
    return found


_PARTS = (
    (re.compile(r"Status of node \S+ \.\.\."), "rabbitmq.status"),
    (re.compile(r"Cluster status of node \S+ \.\.\."), "rabbitmq.cluster-status"),
    (re.compile(r"Listing connections \.\.\."), "rabbitmq.connections"),
    (re.compile(r"Listing channels \.\.\."), "rabbitmq.channels"),
    (re.compile(r"Listing queues for vhost (?P<vhost>\S+) \.\.\."), "rabbitmq.queues"),
    (re.compile(r"Listing consumers (?:in|on|for) vhost \"?(?P<vhost>[^\s\"]+)\"? \.\.\."), "rabbitmq.consumers"),
    (re.compile(r"Listing policies for vhost \"(?P<vhost>[^\"]+)\" \.\.\."), "rabbitmq.policies"),
)
_OTHER_PART = re.compile(
    r"(?:Application environment|Command line arguments|Environment variables) of |Listing |Timeout: |Reporting "
    r"|(?:Connections|Channels|Queues on .*|Exchanges on .*|Bindings on .*|Consumers on .*|Permissions on .*):\Z"
)


def broker_report(text: str) -> Mapping[tuple[str, str], str]:
    """The parts of ``rabbitmqctl report`` (3.7 and later) by probe and virtual host; of 3.6 the status only."""
    parts: dict[tuple[str, str], list[str]] = {}
    lines: list[str] | None = None
    for line in text.split("\n"):
        plain = _STYLE.sub("", line.rstrip("\r"))
        title = next(((match, probe) for shape, probe in _PARTS if (match := shape.fullmatch(plain))), None)
        if title is not None:
            vhost = title[0].groupdict().get("vhost") or ""
            lines = parts.setdefault((title[1], vhost), [])
        elif _OTHER_PART.match(plain):
            lines = None
        elif lines is not None:
            lines.append(plain)
    return {key: "\n".join(found).strip("\n") + "\n" for key, found in parts.items()}
