"""What sos(1) keeps of one node besides its logs: the recorded outputs of a real controller, as sos asks for them.

The node is that of ``fixtures/compound-conductor-and-vxlan``, whose nova-conductor had been stopped for a minute, with
the nova-compute of its second compute node beside: an all-in-one. Nothing is invented but columns that nobody recorded.
Its packages are those of such a node, OpenStack's own in the versions of the Ubuntu Cloud Archive for Zed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sos_broker import report

from stackdoctor.model import NodeResults, Result
from stackdoctor.snapshot.read import read_snapshot

__all__ = ["AXO", "Recorded", "outputs", "recorded"]

HERE = Path(__file__).parent
RECORDING = HERE.parent / "fixtures/compound-conductor-and-vxlan/snapshot.tar.gz"
PACKAGES = HERE / "sos_packages.txt"
KEPT = ("/etc/", "/var/lib/neutron/", "/proc/meminfo")
AXO = "flags,state,uid,pid,ppid,pgid,sid,cls,pri,addr,sz,wchan:20,lstart,tty,time,cmd"


class Recorded:
    """The outputs of one recorded node, by probe and subject."""

    def __init__(self, node: NodeResults) -> None:
        self.results: Mapping[tuple[str, str], Result] = node.results
        assert node.clock is not None
        self.now = datetime.fromtimestamp(node.clock.now, timezone.utc).replace(tzinfo=None)

    def said(self, probe: str, subject: str = "") -> str:
        """What a command printed."""
        stdout: bytes = self.results[probe, subject].stdout
        return stdout.decode()

    def each(self, probe: str) -> Iterator[tuple[str, str]]:
        """The subjects of a probe that was asked of several, and what was printed of each."""
        for (id_, subject), result in sorted(self.results.items()):
            if id_ == probe and subject and "#" not in subject:
                yield subject, result.stdout.decode()

    def files(self) -> Iterator[tuple[str, str]]:
        """The recorded files that sos copies as well."""
        for (_, subject), result in sorted(self.results.items()):
            if subject.startswith(KEPT):
                yield subject, result.stdout.decode()


def recorded(name: str) -> Recorded:
    """The recorded node ``name``."""
    return Recorded(next(n for n in read_snapshot(RECORDING).nodes if n.node.name == name))


def outputs() -> Mapping[str, str]:
    """The files of the tree: paths below its root, and their text."""
    node, compute = recorded("controller"), recorded("compute2")
    processes = node.said("processes") + _rows_of(compute.said("processes"), "/usr/bin/nova-compute")
    units = [u for u in _units(node.said("services.systemd")) if u["Id"] != "nova-compute.service"]
    units += [u for u in _units(compute.said("services.systemd")) if u["Id"] == "nova-compute.service"]
    return {
        **{path[1:]: text for path, text in node.files()},
        **{f"sos_commands/{name}": text for name, text in _commands(node, processes, units)},
    }


def _commands(node: Recorded, processes: str, units: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    yield "date/date", f"{node.now:%a %b %d %H:%M:%S} UTC {node.now:%Y}\n"
    yield "date/date_--utc", f"{node.now:%a %b %d %H:%M:%S} UTC {node.now:%Y}\n"
    yield "host/hostname", "controller\n"
    yield "host/uptime", _uptime(node)
    yield "kernel/uname_-a", node.said("host.uname").replace("x86_64", "#1 SMP x86_64 x86_64 x86_64 GNU/Linux")
    yield "kernel/sysctl_-a", "".join(sorted(_sysctl(node)))
    yield "dpkg/dpkg_-l", "".join(_packages())
    yield "process/ps_auxwww", "".join(_aux(processes))
    yield f"process/ps_axo_{re.sub('[:,]', '_', AXO)}", "".join(_axo(processes))
    yield "systemd/systemctl_show_service_--all", "\n".join(_shown(unit) for unit in units)
    yield "systemd/systemctl_list-units", "".join(_listed(unit) for unit in units)
    yield "systemd/systemctl_list-unit-files", "".join(_unit_file(unit) for unit in units)
    yield "systemd/systemctl_status_--all", "\n".join(_status(unit) for unit in units)
    yield "networking/netstat_-W_-neopa", "".join(_netstat(node))
    yield "networking/ip_-d_address", _addresses(node.said("addresses.host"))
    yield "networking/ip_-s_-d_link", _links(node.said("links.host"))
    yield "networking/ip_route_show_table_all", _routes(node.said("routes.host"))
    yield "networking/ip_netns", node.said("netns.list")
    for name, text in node.each("addresses.netns"):
        inside = f"networking/namespaces/{name}/ip_netns_exec_{name}"
        yield f"{inside}_ip_-d_address_show", _addresses(text)
        yield f"{inside}_ip_-s_-d_link", _links(node.said("links.netns", name))
        yield f"{inside}_ip_route_show_table_all", _routes(node.said("routes.netns", name))
        yield f"{inside}_iptables-save", re.sub(r"(?m)^\[\d+:\d+\] ", "", node.said("iptables.netns", name))
    yield "filesys/df_-al_-x_autofs", _without_type(node.said("disks.bytes"), "1K-blocks", "Use%")
    yield "filesys/df_-ali_-x_autofs", _without_type(node.said("disks.inodes"), "Inodes", "IUse%")
    yield "rabbitmq/rabbitmqctl_report", report(node.said)


def _uptime(node: Recorded) -> str:
    minutes = int(float(node.said("host.uptime", "/proc/uptime").split()[0])) // 60
    load = ", ".join(node.said("host.loadavg", "/proc/loadavg").split()[:3])
    return f" {node.now:%H:%M:%S} up {minutes // 60:>2}:{minutes % 60:02d},  0 users,  load average: {load}\n"


def _rows_of(table: str, wanted: str) -> str:
    return "".join(f"{row}\n" for row in table.split("\n") if wanted in row)


def _units(shown: str) -> list[dict[str, str]]:
    blocks = (dict(line.split("=", 1) for line in block.split("\n") if "=" in line) for block in shown.split("\n\n"))
    return [block for block in blocks if block.get("Id")]


def _shown(unit: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in unit.items())


def _listed(unit: Mapping[str, str]) -> str:
    return f"  {unit['Id']:60} {unit['LoadState']} {unit['ActiveState']} {unit['SubState']:7} {unit['Id']}\n"


def _unit_file(unit: Mapping[str, str]) -> str:
    state = unit.get("UnitFileState", "")
    return f"{unit['Id']:60} {state:15} enabled\n" if state else ""


def _status(unit: Mapping[str, str]) -> str:
    state = f"{unit['ActiveState']} ({unit['SubState']})"
    return (
        f"\u25cf {unit['Id']} - {unit['Id']}\n"
        f"     Loaded: {unit['LoadState']} (/lib/systemd/system/{unit['Id']}; {unit.get('UnitFileState', '')})\n"
        f"     Active: {state} since {unit.get('StateChangeTimestamp', '')}; 2h ago\n"
        f"   Main PID: {unit.get('MainPID', '0')}\n"
    )


def _sysctl(node: Recorded) -> Iterator[str]:
    for (_, subject), result in node.results.items():
        if subject.startswith("/proc/sys/") and result.stdout:
            yield f"{subject[10:].replace('/', '.')} = {result.stdout.decode()}"


def _packages() -> Iterator[str]:
    yield "||/ Name  Version  Architecture  Description\n"
    for line in PACKAGES.read_text(encoding="ascii").splitlines():
        name, version, architecture = line.split()
        yield f"ii  {name:40} {version:30} {architecture:6} {name}\n"


def _processes(table: str) -> Iterator[tuple[str, ...]]:
    """pid, parent, user, state, five words of its start, age, cpu, memory, rss, threads, where it waits, command."""
    for row in table.split("\n")[1:]:
        words = row.split(None, 15)
        if len(words) == 16:
            yield tuple(words)


def _aux(table: str) -> Iterator[str]:
    yield "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
    for pid, _, user, stat, *start, _, cpu, memory, rss, _, _, command in _processes(table):
        size = f"{int(rss) * 3:>6} {rss:>5}"
        yield f"{user:8} {pid:>7} {cpu:>4} {memory:>4} {size} ?        {stat:4} {start[3][:5]}   0:04 {command}\n"


def _axo(table: str) -> Iterator[str]:
    yield (
        "F S   UID     PID    PPID    PGID     SID CLS PRI ADDR    SZ WCHAN"
        "                                STARTED TT           TIME CMD\n"
    )
    for pid, parent, _, stat, *start, _, _, _, rss, _, waits, command in _processes(table):
        yield (
            f"4 {stat[0]}     0 {pid:>7} {parent:>7} {pid:>7} {pid:>7}  TS  19    - {rss:>5} {waits[:20]:20} "
            f"{' '.join(start)} ?        00:00:04 {command}\n"
        )


def _netstat(node: Recorded) -> Iterator[str]:
    yield "Active Internet connections (servers and established)\n"
    yield (
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode"
        "      PID/Program name     Timer\n"
    )
    listening = (
        ("udp", "", line.split()[2:]) for line in node.said("sockets.listening").split("\n") if line[:3] == "udp"
    )
    tcp = (("tcp", line.split()[0], line.split()[1:]) for line in node.said("sockets.tcp").split("\n")[1:] if line)
    states = {"ESTAB": "ESTABLISHED", "UNCONN": "", "TIME-WAIT": "TIME_WAIT", "CLOSE-WAIT": "CLOSE_WAIT"}
    for protocol, state, words in (*tcp, *listening):
        holder = re.search(r'"([^"]+)",pid=(\d+)', " ".join(words[4:]))
        who = f"{holder[2]}/{holder[1]}" if holder else "-"
        yield (
            f"{protocol:5} {words[0]:>6} {words[1]:>6} {words[2]:23} {words[3]:23} {states.get(state, state):11} "
            f"0          0          {who:20} off (0.00/0/0)\n"
        )


def _head(link: Mapping[str, Any], mode: str) -> str:
    peer = f"@{link['link']}" if "link" in link else f"@if{link['link_index']}" if "link_index" in link else ""
    master = f" master {link['master']}" if "master" in link else ""
    inside = f" link-netnsid {link['link_netnsid']}" if "link_netnsid" in link else ""
    return (
        f"{link['ifindex']}: {link['ifname']}{peer}: <{','.join(link['flags'])}> mtu {link['mtu']}"
        f" qdisc {link['qdisc']}{master} state {link['operstate']} {mode}group default qlen {link['txqlen']}\n"
        f"    link/{link['link_type']} {link['address']} brd {link['broadcast']}{inside}\n"
    )


def _addresses(text: str) -> str:
    said = ""
    for link in json.loads(text):
        said += _head(link, "")
        for at in link["addr_info"]:
            label = f" {at['label']}" if "label" in at else " "
            said += f"    {at['family']} {at['local']}/{at['prefixlen']} scope {at['scope']}{label}\n"
            said += "       valid_lft forever preferred_lft forever\n"
    return said


def _links(text: str) -> str:
    said = ""
    for link in json.loads(text):
        said += _head(link, "mode DEFAULT ")
        info = link.get("linkinfo", {})
        data = info.get("info_data", {})
        if info.get("info_kind") == "vxlan":
            said += f"    vxlan id {data['id']} local {data['local']} dev {data['link']} dstport {data['port']}\n"
        elif "info_kind" in info:
            said += f"    {info['info_kind']} \n"
        if info.get("info_slave_kind") == "bridge":
            said += f"    bridge_slave state {info['info_slave_data']['state']} priority 32 cost 2 \n"
        for way, last in (("rx", "missed   mcast"), ("tx", "carrier collsns")):
            count = link["stats64"][way]
            said += f"    {way.upper()}:  bytes packets errors dropped {last}\n"
            said += f"     {count['bytes']} {count['packets']} {count['errors']} {count['dropped']} 0 0\n"
    return said


def _routes(text: str) -> str:
    names = {"gateway": "via", "dev": "dev", "table": "table", "protocol": "proto", "scope": "scope", "prefsrc": "src"}
    rows = []
    for route in json.loads(text):
        kind = f"{route['type']} " if route.get("type", "unicast") != "unicast" else ""
        rows.append(
            f"{kind}{route['dst']} " + "".join(f"{w} {route[n]} " for n, w in names.items() if n in route) + "\n"
        )
    return "".join(rows)


def _without_type(table: str, size: str, used: str) -> str:
    rows = [row.split() for row in table.split("\n") if row]
    head = f"Filesystem {size} {'Used Available' if size == '1K-blocks' else 'IUsed IFree'} {used} Mounted on\n"
    return head + "".join(" ".join([row[0], *row[2:]]) + "\n" for row in rows[1:])
