"""Echo requests and ARP requests to one address, or the largest packet that it answers with Don't Fragment set.

Arguments: ``ping ADDRESS COUNT`` or ``mtu ADDRESS 0``.  IPv4 only.
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional, Tuple

ECHO_REPLY, UNREACHABLE, ECHO = 0, 3, 8
IP_MTU_DISCOVER, PROBE = 10, 3  # ip(7): Don't Fragment on, and what is known of the path's MTU is not believed
ETH_ARP = 0x0806
IP_AND_ICMP = 28
LEAST = 576


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - (total + (total >> 16)) % 0x10000


def route(address: str) -> Dict[str, str]:
    """The device, the source address and the gateway (if any) that the kernel takes."""
    ran = subprocess.run(
        ["ip", "-o", "-4", "route", "get", address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=5
    )
    words = ran.stdout.decode("utf-8", "replace").split()
    found = {words[at]: words[at + 1] for at in range(len(words) - 1)}
    error = ran.stderr.decode("utf-8", "replace").strip()[:200]
    return {"device": found.get("dev", ""), "source": found.get("src", ""), "via": found.get("via", ""), "error": error}


def read(device: str, name: str) -> str:
    try:
        with open("/sys/class/net/%s/%s" % (device, name)) as file:
            return file.read().strip()
    except OSError:
        return ""


class Echo:
    """Echo requests to one address, and what comes back."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.id = os.getpid() & 0xFFFF
        self.sequence = 0
        self.errors: Dict[str, int] = {}
        self.told = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PROBE)

    def ask(self, size: int, seconds: float) -> Optional[float]:
        """Milliseconds until the answer to a packet of ``size`` bytes with its IP header; None without one."""
        self.sequence += 1
        body = b"s" * (size - IP_AND_ICMP)
        head = struct.pack("!BBHHH", ECHO, 0, 0, self.id, self.sequence)
        packet = head[:2] + struct.pack("!H", checksum(head + body)) + head[4:] + body
        began = time.monotonic()
        try:
            self.socket.sendto(packet, (self.address, 0))
        except OSError as error:
            self.note(os.strerror(error.errno or 0))
            return None
        while True:
            left = began + seconds - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            data, sender = self.socket.recvfrom(65535)
            icmp = data[(data[0] & 15) * 4 :]
            if len(icmp) < 8:
                continue
            kind, code, _, id_, sequence = struct.unpack("!BBHHH", icmp[:8])
            if kind == ECHO_REPLY and (id_, sequence) == (self.id, self.sequence) and sender[0] == self.address:
                return (time.monotonic() - began) * 1000
            if kind == UNREACHABLE and self.ours(icmp[8:]):
                self.note("%s says unreachable, code %d" % (sender[0], code))
                if code == 4:
                    self.told = sequence
                return None

    def ours(self, quoted: bytes) -> bool:
        inner = quoted[(quoted[0] & 15) * 4 :] if quoted else b""
        return len(inner) >= 8 and struct.unpack("!HH", inner[4:8]) == (self.id, self.sequence)

    def note(self, what: str) -> None:
        self.errors[what] = self.errors.get(what, 0) + 1


def arp(device: str, source: str, address: str) -> List[Dict[str, Any]]:
    """Every station that says it has ``address``, each with the milliseconds until its first answer."""
    found: Dict[str, float] = {}
    mac = bytes(int(part, 16) for part in read(device, "address").split(":"))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ARP)) as link:
        link.bind((device, ETH_ARP))
        head = b"\xff" * 6 + mac + struct.pack("!HHHBBH", ETH_ARP, 1, 0x0800, 6, 4, 1)
        request = head + mac + socket.inet_aton(source) + b"\0" * 6 + socket.inet_aton(address)
        for _ in range(3):
            began = time.monotonic()
            link.send(request)
            while True:
                left = began + 0.7 - time.monotonic()
                if left <= 0 or not select.select([link], [], [], left)[0]:
                    break
                data = link.recv(2048)
                if len(data) >= 42 and data[20:22] == b"\0\2" and data[28:32] == socket.inet_aton(address):
                    said = ":".join("%02x" % byte for byte in data[22:28])
                    found.setdefault(said, (time.monotonic() - began) * 1000)
            if found:
                break
    return [{"mac": mac, "ms": ms} for mac, ms in found.items()]


def largest(echo: Echo, most: int) -> Tuple[int, int]:
    """The largest size that was answered (0: none), and how many packets it took.  What is lost is asked twice."""
    asked = 0

    def passes(size: int) -> bool:
        nonlocal asked
        for _ in range(2):
            asked += 1
            if echo.ask(size, 0.7) is not None:
                return True
        return False

    if not passes(84):
        return 0, asked
    if passes(most):
        return most, asked
    low, high = 84, most
    if passes(LEAST):
        low = LEAST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low, asked


def main(arguments: List[str]) -> None:
    signal.alarm(60)
    what, address, count = arguments[0], arguments[1], int(arguments[2])
    way = route(address)
    answer: Dict[str, Any] = {"route": way}
    if way["device"]:
        answer["mtu"] = int(read(way["device"], "mtu") or 0)
        echo = Echo(address)
        if what == "mtu":
            answer["largest"], answer["sent"] = largest(echo, answer["mtu"])
            answer["told"] = bool(echo.told)
        else:
            times = []
            for number in range(count):
                ms = echo.ask(84, 1.0)
                times.append(ms)
                if ms is not None and number < count - 1:
                    time.sleep(0.2)
            answer["times"] = times
            if not way["via"] and way["device"] != "lo" and way["source"]:
                answer["arp"] = arp(way["device"], way["source"], address)
        answer["errors"] = echo.errors
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
