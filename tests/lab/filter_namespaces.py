"""Three network namespaces: one sends, one filters (on a bridge, and as a router), one receives."""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
import select
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from stackdoctor.facts.ipset import IpSets
from stackdoctor.facts.iptables import Ip6tables, Iptables
from stackdoctor.firewall.packet import Packet, parse_packet
from stackdoctor.firewall.verdict import Verdict

SAMPLES = Path(__file__).parents[1] / "facts" / "samples"
BRIDGE, NEAR, FAR = "brq8af4f28b-a6", "vxlan-994", "tap30d5603c-42"
MACS = {"near": "02:00:00:00:00:0a", "far": "fa:16:3e:1c:77:97", "router": "02:00:00:00:00:fe"}
EVERYONE = "ff:ff:ff:ff:ff:ff"
LOCAL = frozenset(map(ipaddress.ip_interface, ("10.8.1.254/24", "10.8.2.254/24")))
SETS = """\
create nets hash:net family inet hashsize 1024 maxelem 65536
add nets 10.9.0.0/25
add nets 10.9.0.64/26 nomatch
add nets 10.9.1.2
create hosts hash:ip family inet hashsize 1024 maxelem 65536 netmask 30
add hosts 10.9.0.0
create services hash:ip,port family inet hashsize 1024 maxelem 65536
add services 10.9.1.1,tcp:22
add services 10.9.1.2,udp:68
create ports bitmap:port range 0-1023
add ports 67
create all list:set size 8
add all nets
add all services
"""


def run(*argv: str, stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()}\n{stdin}")
    return done.stdout


def packet_socket(namespace: str, device: str) -> socket.socket:
    """A raw socket on ``device``; a socket stays in the namespace where it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            made.bind((device, 0))
        finally:
            libc.setns(home, 0x40000000)
    finally:
        os.close(home)
        os.close(there)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, 33, 16 * 1024 * 1024)  # SO_RCVBUFFORCE
    return made


@dataclass(frozen=True)
class Lab:
    """A filtering namespace with a bridge and two routed legs, and a socket at each end of them."""

    backend: str
    filter: str
    ends: dict[str, socket.socket]
    local: socket.socket

    def inside(self, *argv: str, stdin: str = "") -> str:
        return run("nsenter", f"--net=/run/netns/{self.filter}", *argv, stdin=stdin)

    def load(self, text: str, family: int = 4) -> Iptables:
        """The rules as they are listed once loaded."""
        program = "iptables" if family == 4 else "ip6tables"
        variant = program.replace("tables", "tables-" + self.backend)
        self.inside(f"{variant}-restore", stdin=text)
        return (Iptables if family == 4 else Ip6tables).of(self.inside(f"{variant}-save", "-c"))

    def counted(self, family: int = 4) -> Counter[tuple[str, str, int]]:
        """How often each rule, and each policy (number 0), was met since the rules were loaded."""
        program = "iptables" if family == 4 else "ip6tables"
        variant = program.replace("tables", "tables-" + self.backend)
        tables = Iptables.of(self.inside(f"{variant}-save", "-c")).tables
        counts: Counter[tuple[str, str, int]] = Counter()
        for table in tables.values():
            for chain in table.chains.values():
                counts[table.name, chain.name, 0] = chain.packets if chain.policy else 0
                for rule in chain.rules:
                    counts[table.name, chain.name, rule.number] = rule.packets
        return counts

    def send(self, packets: Sequence[Packet]) -> list[bool]:
        """Sends all of them and says which arrived at the other end; a last frame of no IP tells when to look."""
        for end in self.ends.values():
            _drain(end)
        for number, packet in enumerate(packets):
            self.ends[_end_of(packet, "in")].send(bytes(frame(packet, number)))
        last = os.urandom(16)
        for side, mac in (("near", MACS["far"]), ("far", MACS["near"])):
            self.ends[side].send(bytes(Ether(src=MACS[side], dst=mac, type=0x88B5) / Raw(last)))
        arrived: set[tuple[str, int]] = set()
        waiting = {"near", "far"}
        while waiting:
            readable, _, _ = select.select(list(self.ends.values()), [], [], 10)
            assert readable, "the last frame did not come through the bridge"
            for side, end in self.ends.items():
                for data in _drain(end) if end in readable else ():
                    if last in data:
                        waiting.discard(side)
                    elif (at := data.find(b"packet-")) >= 0:
                        arrived.add((side, int(data[at + 7 : at + 13])))
        for side, end in self.ends.items():
            arrived |= {(side, int(d[at + 7 : at + 13])) for d in _drain(end) if (at := d.find(b"packet-")) >= 0}
        return [(_end_of(packet, "out"), number) in arrived for number, packet in enumerate(packets)]


def _end_of(packet: Packet, direction: str) -> str:
    device = (packet.physdev_in if direction == "in" else packet.physdev_out) if packet.is_bridged else None
    device = device or (packet.in_iface if direction == "in" else packet.out_iface)
    return {NEAR: "near", FAR: "far", "leg1": "leg1", "leg2": "leg2"}.get(device or "", "")


def _drain(end: socket.socket) -> list[bytes]:
    got = []
    while True:
        try:
            data, address = end.recvfrom(2048)
        except BlockingIOError:
            return got
        if address[2] != socket.PACKET_OUTGOING:
            got.append(data)


def frame(packet: Packet, number: int) -> Layer:
    """The packet on the wire, with its number in the payload."""
    assert packet.src is not None
    assert packet.dst is not None
    network: Layer
    if packet.version == 4:
        network = IP(src=str(packet.src), dst=str(packet.dst), id=number + 1)
    else:
        network = IPv6(src=str(packet.src), dst=str(packet.dst))
    payload = Raw(f"packet-{number:06d}".encode())
    if packet.proto == "tcp":
        flags = "".join(sorted(flag[0] for flag in packet.tcp_flags or ()))
        transport = TCP(sport=packet.sport, dport=packet.dport, flags=flags)
    elif packet.proto == "udp":
        transport = UDP(sport=packet.sport, dport=packet.dport)
    elif packet.proto == "icmp":
        transport = ICMP(type=packet.icmp_type, code=packet.icmp_code, id=number + 1)
    else:
        network.proto = 112
        transport = None
    return Ether(src=packet.src_mac, dst=packet.dst_mac) / network / (transport / payload if transport else payload)


def build(backend: str, stem: str) -> Lab:
    near, middle, far = (f"{stem}-{part}" for part in ("near", "filter", "far"))
    for namespace in (near, middle, far):
        run("ip", "netns", "add", namespace)
        run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    for sysctl in ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"):
        run("ip", "netns", "exec", middle, "sysctl", "-qw", sysctl)
    links = f"link add {BRIDGE} type bridge mcast_snooping 0\nlink set {BRIDGE} up\n"
    for namespace, device, peer in ((near, NEAR, "near"), (far, FAR, "far")):
        links += f"link add {device} type veth peer name {peer} address {MACS[peer]} netns {namespace}\n"
        links += f"link set {device} master {BRIDGE} up\n"
    for namespace, device, peer, net in ((near, "leg1", "leg1", 1), (far, "leg2", "leg2", 2)):
        links += f"link add {device} address {MACS['router']} type veth peer name {peer} netns {namespace}\n"
        links += f"link set {device} up\naddr add 10.8.{net}.254/24 dev {device}\n"
        links += f"neigh add 10.8.{net}.1 lladdr 02:00:00:00:01:0{net} dev {device} nud permanent\n"
    run("ip", "-n", middle, "-batch", "-", stdin=links + "link set lo up\n")
    for namespace, devices in ((near, ("near", "leg1")), (far, ("far", "leg2"))):
        run("ip", "-n", namespace, "-batch", "-", stdin="".join(f"link set {d} up\n" for d in devices))
    for device, peer in ((NEAR, "near"), (FAR, "far")):
        run("bridge", "-n", middle, "fdb", "replace", MACS[peer], "dev", device, "master", "static")
    ends = {"near": packet_socket(near, "near"), "far": packet_socket(far, "far")}
    ends |= {"leg1": packet_socket(near, "leg1"), "leg2": packet_socket(far, "leg2")}
    lab = Lab(backend, middle, ends, packet_socket(middle, "lo"))
    run("ip", "netns", "exec", middle, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")
    lab.inside("ipset", "restore", stdin=SETS + (SAMPLES / "ipset-save.txt").read_text())
    return lab


@contextlib.contextmanager
def filter_up(backend: str) -> Iterator[Lab]:
    """The namespaces with rules of ``backend`` (nft or legacy), or a skip that says what is missing for them."""
    missing = [p for p in ("ip", "bridge", "nsenter", "ipset", f"iptables-{backend}") if not shutil.which(p)]
    if os.geteuid() != 0:
        pytest.skip("the kernel's packet filter was not asked: that needs root")
    if missing:
        pytest.skip(f"the kernel's packet filter was not asked: {', '.join(missing)} is not installed")
    stem = f"sd{os.getpid()}{backend[0]}"
    cpus = os.sched_getaffinity(0)
    # On one processor the frames stay in order, so that the last one tells that all others are through.
    os.sched_setaffinity(0, {min(cpus)})
    made = None
    try:
        made = build(backend, stem)
        try:
            made.load("*filter\nCOMMIT\n")
        except RuntimeError as error:
            pytest.skip(f"the kernel's packet filter was not asked by iptables-{backend}: {error}")
        yield made
    finally:
        os.sched_setaffinity(0, cpus)
        for end in (*made.ends.values(), made.local) if made else ():
            end.close()
        for part in ("near", "filter", "far"):
            subprocess.run(["ip", "netns", "del", f"{stem}-{part}"], capture_output=True, timeout=30)


def sets_of(lab: Lab) -> IpSets:
    return IpSets.of(lab.inside("ipset", "save"))


def expected(verdicts: Sequence[Verdict]) -> Counter[tuple[str, str, int]]:
    counts: Counter[tuple[str, str, int]] = Counter()
    for verdict in verdicts:
        counts.update((s.table, s.chain, s.rule.number if s.rule else 0) for s in verdict.path)
    return counts


def assert_same(
    counted: Counter[tuple[str, str, int]],
    verdicts: Sequence[Verdict],
    tables: Iptables,
    only: Sequence[str] = ("filter",),
    without: Sequence[str] = ("INPUT", "OUTPUT"),
) -> None:
    said = expected(verdicts)
    wrong = {
        key: f"kernel {counted[key]}, said {said[key]}: "
        + (tables.tables[key[0]].chains[key[1]].rules[key[2] - 1].line if key[2] else "policy")
        for key in counted | said
        if counted[key] != said[key] and key[0] in only and not any(name in key[1] for name in without)
    }
    assert not wrong, "\n".join(map(str, wrong.items())) + "\n" + "\n".join(str(v.packet) for v in verdicts)


def bridged(text: str, **more: object) -> Packet:
    """A packet from the near to the far end, unless it says otherwise."""
    packet = parse_packet(text)
    came = packet.physdev_in or NEAR
    return replace(
        packet,
        in_iface=BRIDGE,
        out_iface=BRIDGE,
        is_bridged=True,
        physdev_in=came,
        physdev_out=FAR if came == NEAR else NEAR,
        src_mac=packet.src_mac or MACS["near" if came == NEAR else "far"],
        dst_mac=packet.dst_mac or MACS["far" if came == NEAR else "near"],
        local=LOCAL,
        **{"mark": 0, "ctnat": frozenset(), **more},  # type: ignore[arg-type]
    )
