"""Random rules and packets out of small pools, so that they meet (strategies of Hypothesis)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import strategies as st
from lab.filter_namespaces import (
    BRIDGE,
    EVERYONE,
    FAR,
    MACS,
    NEAR,
    bridged,
)

from stackdoctor.firewall.packet import Packet

SOURCES = ["10.9.0.1", "10.9.0.2", "10.9.0.66", "10.9.0.130"]
DESTINATIONS = ["10.9.1.1", "10.9.1.2", "10.9.1.200", "224.0.0.18", "255.255.255.255"]
PORTS = [22, 67, 68, 80, 443, 5000]
# Which state conntrack gives to a connection's first segment (nf_conntrack_proto_tcp.c); each set of flags has
# its own source, so that no segment belongs to the connection of another.
SEGMENTS = {
    "SYN": ("10.9.0.2", "NEW"),
    "ACK": ("10.9.0.101", "NEW"),
    "SYN,ACK": ("10.9.0.102", "INVALID"),
    "RST": ("10.9.0.103", "INVALID"),
    "FIN,ACK": ("10.9.0.104", "INVALID"),
    "SYN,FIN": ("10.9.0.105", "INVALID"),
    "-": ("10.9.0.106", "INVALID"),
}


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    destination, proto = draw(st.sampled_from(DESTINATIONS)), draw(st.sampled_from(["tcp", "udp", "icmp", "vrrp"]))
    source = draw(st.sampled_from(SOURCES))
    sport, dport = draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))
    mac = draw(st.sampled_from([MACS["near"], "02:00:00:00:00:99"]))
    everyone = destination in ("224.0.0.18", "255.255.255.255")
    to = {"224.0.0.18": "01:00:5e:00:00:12", "255.255.255.255": EVERYONE}.get(destination, MACS["far"])
    if proto == "tcp" and not everyone:
        flags, (source, state) = draw(st.sampled_from(list(SEGMENTS.items())))
        text = f"tcp {source}:{sport} > {destination}:{dport} flags {flags} state {state}"
    elif proto in ("tcp", "udp"):
        text = f"udp {source}:{sport} > {destination}:{dport}"
    elif proto == "icmp":
        kind, code, state = draw(st.sampled_from([(8, 0, "NEW"), (13, 0, "NEW"), (0, 0, "INVALID"), (3, 4, "INVALID")]))
        text = f"icmp {source} > {destination} type {kind} code {code} state {state}"
    else:
        text = f"vrrp {source} > {destination}"
    return bridged(f"{text} mac {mac} to {to}")


def maybe_not(option: str) -> st.SearchStrategy[str]:
    return st.sampled_from([option, f"! {option}"])


addresses = st.sampled_from(
    ["10.9.0.1", "10.9.0.2/31", "10.9.0.0/25", "10.9.1.0/24", "10.0.0.1/255.0.0.255", "0.0.0.0/1", "224.0.0.0/4"]
)
devices = st.sampled_from([BRIDGE, "brq+", "eth0", "vxlan-+", FAR])
ports = st.sampled_from(["22", "67", "67:80", ":67", "443:", "5000"])
lists = st.sampled_from(["22,80", "67:68,443", "5000", "1:21,23:65535"])
sets = st.sampled_from(
    ["nets src", "nets dst", "hosts src", "services dst,dst", "services src,dst", "ports dst", "all src,dst", "all dst"]
)
flags = st.sampled_from(["FIN,SYN,RST,ACK SYN", "ALL NONE", "SYN,ACK ACK", "RST RST", "FIN,SYN FIN,SYN"])
physdevs = st.sampled_from(
    [
        f"--physdev-in {NEAR}",
        f"--physdev-out {FAR}",
        f"--physdev-in {FAR}",
        "--physdev-in vxlan-+",
        "--physdev-out tap+",
        "--physdev-is-bridged",
        "--physdev-is-in",
        "--physdev-is-out",
    ]
)
matches = st.one_of(
    addresses.flatmap(lambda a: maybe_not(f"-s {a}")),
    addresses.flatmap(lambda a: maybe_not(f"-d {a}")),
    devices.flatmap(lambda d: maybe_not(f"-i {d}")),
    devices.flatmap(lambda d: maybe_not(f"-o {d}")),
    st.sampled_from(["udp", "tcp", "icmp", "vrrp"]).flatmap(lambda p: maybe_not(f"-p {p}")),
    ports.flatmap(lambda p: maybe_not(f"--sport {p}")).map("-p udp -m udp {}".format),
    ports.flatmap(lambda p: maybe_not(f"--dport {p}")).map("-p tcp -m tcp {}".format),
    flags.flatmap(lambda f: maybe_not(f"--tcp-flags {f}")).map("-p tcp -m tcp {}".format),
    st.sampled_from(["8", "0", "3/4", "3/1", "any", "echo-request", "fragmentation-needed"]).map(
        "-p icmp -m icmp --icmp-type {}".format
    ),
    st.tuples(st.sampled_from(["sports", "dports", "ports"]), lists, st.sampled_from(["udp", "tcp"])).flatmap(
        lambda t: maybe_not(f"--{t[0]} {t[1]}").map(f"-p {t[2]} -m multiport {{}}".format)
    ),
    physdevs.flatmap(maybe_not).map("-m physdev {}".format),
    st.sampled_from([MACS["near"], "02:00:00:00:00:99"])
    .flatmap(lambda m: maybe_not(f"--mac-source {m}"))
    .map("-m mac {}".format),
    sets.flatmap(lambda s: maybe_not(f"--match-set {s}")).map("-m set {}".format),
    st.sampled_from(["NEW", "RELATED,ESTABLISHED", "INVALID", "NEW,INVALID"]).flatmap(
        lambda s: st.sampled_from([f"-m state --state {s}", f"-m conntrack ! --ctstate {s}"])
    ),
    st.sampled_from(["DNAT", "SNAT,NEW"]).flatmap(lambda s: maybe_not(f"--ctstate {s}")).map("-m conntrack {}".format),
    st.sampled_from(["unicast", "broadcast", "multicast"])
    .flatmap(lambda t: maybe_not(f"--pkt-type {t}"))
    .map("-m pkttype {}".format),
    st.sampled_from(["src", "dst"])
    .flatmap(lambda d: maybe_not(f"--{d}-range 10.9.0.2-10.9.1.1"))
    .map("-m iprange {}".format),
    st.tuples(st.sampled_from(["src", "dst"]), st.sampled_from(["LOCAL", "MULTICAST", "UNICAST,BROADCAST"]))
    .flatmap(lambda t: maybe_not(f"--{t[0]}-type {t[1]}"))
    .map("-m addrtype {}".format),
    st.sampled_from(["0x0", "0x1/0x1", "0x2/0xff"])
    .flatmap(lambda m: maybe_not(f"--mark {m}"))
    .map("-m mark {}".format),
    st.just('-m comment --comment "a \\"quoted\\" -j DROP"'),
)


def rules(chain: str, jumps: Sequence[str]) -> st.SearchStrategy[list[str]]:
    targets = [
        "-j ACCEPT",
        "-j DROP",
        "-j RETURN",
        "",
        "-j LOG",
        "-j MARK --set-xmark 0x1/0xff",
        "-j MARK --or-mark 0x2",
    ]
    targets += ["-j REJECT", *(f"-{how} {name}" for name in jumps for how in "jjg")]
    rule = st.tuples(st.lists(matches, min_size=0, max_size=2), st.sampled_from(targets)).filter(one_protocol)
    return st.lists(rule.map(lambda r: " ".join(["-A", chain, *r[0], r[1]]).rstrip()), min_size=1, max_size=6)


def one_protocol(rule: tuple[list[str], str]) -> bool:
    """iptables takes each option of the header once in a rule, and each module's options once."""
    words = [word for match in rule[0] for word in match.split()]
    return all(words.count(word) < 2 for word in words if word.startswith("-") and word != "-m") and not any(
        a == "-m" and words.count(b) > 1 for a, b in pairwise(words)
    )


rule_sets = st.tuples(
    st.sampled_from(["ACCEPT", "DROP"]), rules("FORWARD", ["one", "two"]), rules("one", ["two"]), rules("two", [])
).map(
    lambda parts: "\n".join(
        [f"*filter\n:FORWARD {parts[0]} [0:0]\n:one - [0:0]\n:two - [0:0]", *parts[1], *parts[2], *parts[3], "COMMIT\n"]
    )
)
