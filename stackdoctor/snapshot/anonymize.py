"""A snapshot without the names of its cloud: addresses, hosts and ids stand for others that fit together as before.

Every mapping is keyed (HMAC-SHA256), the same within a snapshot and with the same key, and none can be turned back
without it.  What is joined on keeps its form: a subnet stays one, an id and the device name that is made of its first
characters still agree, the MAC of a port and of its tap device still differ in their first byte only.

What stays: the first octet of an IPv4 address (of 172 and 192 the second as well: private stays private), host parts
inside /24 or a smaller network, loopback, link-local and multicast prefixes, the vendor of a virtual MAC, and names of
hosts that are plain words of the field (controller, compute).  Names of users, projects, instances and volumes that
people gave, and what they wrote into messages, are not looked for.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from stackdoctor.model import NodeResults, Result
from stackdoctor.snapshot.format import Snapshot

__all__ = ["Anonymizer", "anonymize"]

_HEX = "0123456789abcdef"
_PLAIN = frozenset(
    [
        "com",
        "org",
        "net",
        "edu",
        "gov",
        "localhost",
        "localdomain",
        "controller",
        "compute",
        "network",
        "neutron",
        "nova",
        "cinder",
        "glance",
        "keystone",
        "storage",
        "api",
        "database",
        "db",
        "host",
        "rabbit",
        "rabbitmq",
        "mysql",
        "mariadb",
        "galera",
        "haproxy",
        "proxy",
        "block",
        "object",
        "volume",
        "image",
        "node",
        "server",
        "gateway",
        "control",
        "none",
        "default",
        "all",
        "any",
        "admin",
        "internal",
        "public",
        "management",
        "ironic",
        "heat",
        "swift",
        "horizon",
        "monitoring",
        "deploy",
    ]
)
_KEPT_MACS = (
    "fa:16:3e",
    "fe:16:3e",
    "fa:16:3f",
    "52:54:00",
    "fe:54:00",
    "01:00:5e",
    "33:33:00",
    "00:00:00",
    "01:80:c2",
)
_METADATA = int(ipaddress.IPv6Address("fe80::a9fe:a9fe"))
_NIL = re.compile(r"[0f-]+\Z")

# In one pass, the first that fits: what has been mapped must not be mapped again.
_TOKENS = re.compile(
    r"(?P<uuid>(?:(?<![0-9A-Za-z])|(?<=dhcp))[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Za-z]))"
    r"|(?P<id>(?<![0-9A-Za-z:])[0-9a-f]{32}(?![0-9A-Za-z:]))"
    # made of an id's first characters: devices, chains, sets, and an id that is cut at the end of its column
    r"|(?:(?<![A-Za-z])(?:tap|brq|qbr|qvb|qvo|ns-|qr-|qg-|sg-|ha-|fg-|rfp-|fpr-|fip-|trunk|tbr-|tpi-|spi-|tpt-|spt-"
    r"|neutron-(?:linuxbri|openvswi)-[a-z]|neutronMAC-|neutronARP-|N?IPv[46])|(?<![\w-]))"
    r"(?P<part>[0-9a-f]{8}-[0-9a-f]{1,4}(?:-[0-9a-f]{0,4}){0,2}(?:-[0-9a-f]{0,11})?)(?![0-9A-Za-z]|-[0-9a-f])"
    r"|(?P<pairs>(?<![0-9A-Fa-f:.-])(?:[0-9A-Fa-f]{2}:){5,19}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:]))"
    r"|(?P<bridge>(?<![0-9a-f])[0-9a-f]{4}\.[0-9a-f]{12}(?![0-9a-f]))"
    r"|iqn\.[0-9]{4}-[0-9]{2}\.[\w.-]{1,100}:(?:01:)?(?P<initiator>[0-9a-f]{6,16})(?![\w-])"
    r"|(?P<ipv4>(?<![\w.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?P<bits>/\d{1,2})?(?![\w]|\.\d)"
    r"|(?P<ipv6>(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w:]|\.\d)"
)


class Anonymizer:
    """The mapping of one key.  ``hosts`` are the names to be mapped, ``networks`` those whose host parts stay."""

    def __init__(self, key: bytes, hosts: Iterable[str] = (), networks: Iterable[ipaddress.IPv4Network] = ()) -> None:
        self._key = key
        self._networks = sorted({n for n in networks if 16 <= n.prefixlen < 24}, key=lambda n: n.prefixlen)
        self._hosts: dict[str, str] = {}
        for name in hosts:
            labels = name.lower().split(".")
            for label in labels[:-1] if len(labels) > 1 else labels:
                if label not in _PLAIN and re.search(r"[a-z]", label) and len(label) > 1 + label.isalpha():
                    self._hosts[label] = "h" + self._digest("host", label)[:8]
        every = sorted(self._hosts, key=len, reverse=True)
        self._named = (
            re.compile(
                r"(?<![\w-])(" + "|".join(map(re.escape, every)) + r")(?![A-Za-z0-9_]|-(?!\d{8}))", re.IGNORECASE
            )
            if every
            else None
        )
        self._ipv4 = lru_cache(100_000)(self._map_ipv4)
        self._hexes = lru_cache(100_000)(self._map_hex)

    def text(self, text: str) -> str:
        """``text`` with everything mapped that stands for something in this cloud."""
        text = _TOKENS.sub(self._token, text)
        return self._named.sub(lambda m: self.host(m[1]), text) if self._named else text

    def _token(self, match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        if kind in ("ipv4", "bits"):
            return self._network(match["ipv4"], match["bits"] or "")
        token = match[kind]
        before = match[0][: match.start(kind) - match.start()]
        if kind in ("uuid", "id", "part"):
            mapped = self.hex(token)
        elif kind == "pairs":
            mapped = self._pairs(token)
        elif kind == "bridge":
            mapped = token[:5] + self._bare_mac(token[5:])
        elif kind == "initiator":
            mapped = self._hexes("initiator", token)
        else:
            mapped = self._ipv6(token)
        return before + mapped

    def host(self, name: str) -> str:
        """A host name, label by label."""
        return ".".join(self._hosts.get(label.lower(), label) for label in name.split("."))

    def hex(self, id_: str) -> str:
        """An id or the beginning of one: what two share at their beginning, they share afterwards."""
        if _NIL.match(id_.lower()):
            return id_
        digits = self._hexes("id", id_.replace("-", "").lower())
        mapped = iter(digits.upper() if id_ != id_.lower() else digits)
        return "".join("-" if c == "-" else next(mapped) for c in id_)

    def mac(self, mac: str) -> str:
        """A MAC address: its last three bytes map alike whatever its first ones are."""
        low = mac.lower()
        if low in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff") or low.startswith(("01:00:5e", "01:80:c2")):
            return mac
        tail = self._hexes("mac", low[9:].replace(":", ""))
        if low.startswith("33:33"):
            if not low.startswith("33:33:ff"):
                return mac
            head = low[:8]
        elif low.startswith(_KEPT_MACS):
            head = low[:8]
        else:
            mapped = self._hexes("vendor", low[:8].replace(":", ""))
            first = (int(mapped[:2], 16) & 0xFC) | (int(low[:2], 16) & 0x03)  # multicast and locally given stay so
            head = f"{first:02x}:{mapped[2:4]}:{mapped[4:6]}"
        found = f"{head}:{tail[:2]}:{tail[2:4]}:{tail[4:]}"
        return found if mac == low else found.upper()

    def _pairs(self, pairs: str) -> str:
        """A MAC address, one behind its hardware type, or the two of a frame's header with its type."""
        words = pairs.split(":")
        if len(words) == 6:
            return self.mac(pairs)
        if len(words) == 7:
            return f"{words[0]}:{self.mac(':'.join(words[1:]))}"
        if len(words) == 14:
            return ":".join((self.mac(":".join(words[:6])), self.mac(":".join(words[6:12])), *words[12:]))
        return pairs

    def _bare_mac(self, digits: str) -> str:
        return self.mac(":".join(digits[at : at + 2] for at in range(0, 12, 2))).replace(":", "")

    def _network(self, address: str, length: str) -> str:
        try:
            value = ipaddress.IPv4Address(address)
        except ValueError:
            return address + length
        mapped = ipaddress.IPv4Address(self._ipv4(int(value)))
        if length and int(length[1:]) < 32 and int(value) == int(ipaddress.IPv4Network(address + length, False)[0]):
            mapped = ipaddress.IPv4Network(f"{mapped}{length}", strict=False).network_address
        return f"{mapped}{length}"

    def _map_ipv4(self, value: int) -> int:
        """Prefix-preserving: a bit is turned or not by those before it; the first ones and the host part stay."""
        address = ipaddress.IPv4Address(value)
        first = value >> 24
        if first in (0, 127) or first >= 224 or address.is_link_local:
            return value
        begin = {172: 12, 192: 16}.get(first, 8)
        within = next((n.prefixlen for n in self._networks if address in n), 24)
        mapped = 0
        for bit in range(32):
            own = value >> (31 - bit) & 1
            if begin <= bit < within:
                own ^= int(self._digest("ipv4", f"{bit}:{value >> (32 - bit)}")[0], 16) & 1
            mapped = mapped << 1 | own
        return mapped

    def _ipv6(self, text: str) -> str:
        try:
            address = ipaddress.IPv6Address(text)
        except ValueError:
            return text
        value = int(address)
        if value < 1 << 16 or value == _METADATA or text.strip("0:") == "":
            return text
        if address.is_multicast:
            if value >> 24 != 0xFF0200000000000000000001FF:
                return text
            return str(
                ipaddress.IPv6Address(value >> 24 << 24 | int(self._hexes("mac", f"{value & 0xFFFFFF:06x}"), 16))
            )
        prefix, own = f"{value >> 64:016x}", value & ((1 << 64) - 1)
        if not address.is_link_local:
            prefix = prefix[:4] + self._kept_zeros("ipv6" + prefix[:4], prefix[4:])
        if own >> 24 & 0xFFFF == 0xFFFE:  # made of a MAC address: one bit of its first byte is turned
            digits = f"{own ^ (2 << 56):016x}"
            mac = self._bare_mac(digits[:6] + digits[10:])
            own = int(mac[:6] + "fffe" + mac[6:], 16) ^ (2 << 56)
        elif own >= 1 << 16:
            own = int(self._hexes("interface", f"{own:016x}"), 16)
        return str(ipaddress.IPv6Address(int(prefix, 16) << 64 | own))

    def _kept_zeros(self, domain: str, digits: str) -> str:
        """Zeros at the end stay: they are the rest of a shorter prefix."""
        significant = digits.rstrip("0")
        return self._hexes(domain, significant) + digits[len(significant) :]

    def _map_hex(self, domain: str, digits: str) -> str:
        """Each digit by a permutation of its own, chosen by the key and the digits before it."""
        found = []
        for at, digit in enumerate(digits):
            order = sorted(_HEX, key=lambda c, b=digits[:at]: self._digest(domain, f"{b}|{c}"))  # type: ignore[misc]
            found.append(order[int(digit, 16)])
        return "".join(found)

    def _digest(self, domain: str, value: str) -> str:
        return hmac.new(self._key, f"{domain}:{value}".encode(), hashlib.sha256).hexdigest()


def anonymize(snapshot: Snapshot, key: bytes) -> Snapshot:
    """``snapshot`` with addresses, host names and ids mapped by ``key``; the same key maps alike."""
    texts = [r.stdout.decode("utf-8", "surrogateescape") for n in snapshot.nodes for r in n.results.values()]
    mapping = Anonymizer(key, _names(snapshot, texts), _networks(texts))
    return replace(snapshot, nodes=tuple(_node(node, mapping) for node in snapshot.nodes))


def _names(snapshot: Snapshot, texts: Iterable[str]) -> set[str]:
    """The nodes' names, and what logs, configuration and answers call hosts."""
    names = {name for node in snapshot.nodes for name in (node.node.name, node.hostname)}
    for text in texts:
        names.update(re.findall(r"rabbit@([\w.-]{1,100})", text[:1_000_000]))
        names.update(
            re.findall(
                r'"(?:host|hostname|binding:host_id|hypervisor_hostname|OS-EXT-SRV-ATTR:host)": ?"([\w.-]{1,200})"',
                text,
            )
        )
    for node in snapshot.nodes:
        for (probe, _), result in node.results.items():
            if probe == "host.hosts":
                for line in result.text.splitlines():
                    names.update(line.partition("#")[0].split()[1:])
    return {name for name in names if re.fullmatch(r"[\w.-]+", name) and not name.startswith(("ip6-", "_"))}


def _networks(texts: Iterable[str]) -> set[ipaddress.IPv4Network]:
    found = set()
    for text in texts:
        for address, length in re.findall(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})/(1[6-9]|2[0-3])(?!\d)", text):
            try:
                found.add(ipaddress.IPv4Network(f"{address}/{length}", strict=False))
            except ValueError:
                continue
    return found


def _node(node: NodeResults, mapping: Anonymizer) -> NodeResults:
    results = (_result(result, mapping) for result in node.results.values())
    return replace(
        node,
        node=replace(node.node, name=mapping.text(node.node.name), address=mapping.text(node.node.address)),
        results={(r.probe, r.subject): r for r in results},
        hostname=mapping.text(node.hostname),
        failure=mapping.text(node.failure),
    )


def _result(result: Result, mapping: Anonymizer) -> Result:
    return replace(
        result,
        subject=mapping.text(result.subject),
        command=mapping.text(result.command),
        reason=mapping.text(result.reason),
        stdout=_bytes(result.stdout, mapping),
        stderr=_bytes(result.stderr, mapping),
    )


def _bytes(data: bytes, mapping: Anonymizer) -> bytes:
    return mapping.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
