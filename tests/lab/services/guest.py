"""An instance as its host sees it: a process with QEMU's command line behind a tap.  It speaks DHCP, ARP and ping.

Called with the tap, the MAC and the path of a socket; every line there is an order in JSON, and so is the answer:
``{"do": "lease"}``, ``{"do": "ping", "address": ..., "size": ...}``.  The rest of the arguments is the command line
that it shows.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import struct
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
EVERYONE = b"\xff" * 6
NOBODY = bytes(4)
PATIENCE = 1.0


def show(words: list[str]) -> None:
    """Let ps(1) see ``words`` as the command line: they are its end, and are moved to its beginning."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])  # arg_start and arg_end of proc(5)
    line = b"\0".join(word.encode() for word in words)
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(begin)
        memory.write(line.ljust(end - begin, b"\0"))
    Path("/proc/self/comm").write_text(os.path.basename(words[0])[:15])


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])) + (data[-1] << 8) * (len(data) % 2)
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def ip(protocol: int, source: bytes, destination: bytes, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0, source, destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


class Guest:
    """The card: frames in and out, and the address that it has got."""

    def __init__(self, tap: str, mac: str) -> None:
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self.wire = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.wire, TUNSETIFF, struct.pack("16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI))
        self.address = NOBODY

    def send(self, to: bytes, kind: int, payload: bytes) -> None:
        with contextlib.suppress(OSError):  # the tap is set down: a cable that is out
            os.write(self.wire, to + self.mac + struct.pack("!H", kind) + payload)

    def frames(self, seconds: float):
        """Frames as they come in for ``seconds``, each answered first as an IP stack would.

        A tap that is set down is readable and gives an error: it is tried again a hundred times a second till then.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.wire], [], [], left)[0]:
                return
            try:
                frame = os.read(self.wire, 65536)
            except OSError:
                time.sleep(0.01)
                continue
            self.answer(frame)
            yield frame

    def answer(self, frame: bytes) -> None:
        kind, body = frame[12:14], frame[14:]
        own = [self.address] if self.address != NOBODY else []
        if kind == b"\x08\x06" and body[6:8] == b"\0\1" and body[24:28] in own:
            self.arp(2, body[24:28], body[8:14], body[14:18])
        elif kind == b"\x08\0" and body[9] == 1 and body[16:20] in own and frame[:6] == self.mac and body[20] == 8:
            echo = b"\0\0\0\0" + body[24:]
            echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
            self.send(frame[6:12], 0x0800, ip(1, body[16:20], body[12:16], echo))

    def arp(self, operation: int, own: bytes, mac: bytes, address: bytes) -> None:
        to = mac if operation == 2 else EVERYONE
        self.send(to, 0x0806, struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, operation, self.mac, own, mac, address))

    def lease(self, tries: int = 2) -> dict[str, object]:
        """DISCOVER, OFFER, REQUEST, ACK (RFC 2131); what was answered, and the address."""
        self.address, seen = NOBODY, []
        for _ in range(tries):
            transaction = os.urandom(4)
            offer = self.ask(transaction, bytes((53, 1, 1)))
            if offer is None:
                continue
            seen.append("offer")
            yours, server = offer
            wanted = bytes((53, 1, 3, 50, 4)) + yours + bytes((54, 4)) + server
            acknowledged = self.ask(transaction, wanted)
            if acknowledged is not None:
                self.address = acknowledged[0]
                return {
                    "address": str(IPv4Address(self.address)),
                    "server": str(IPv4Address(server)),
                    "seen": [*seen, "ack"],
                }
        return {"address": "", "seen": seen}

    def ask(self, transaction: bytes, options: bytes) -> tuple[bytes, bytes] | None:
        """Offered address and server of the answer to one message; None for silence or a refusal."""
        fixed = struct.pack("!BBBB4sHH4s4s4s4s16s192x", 1, 1, 6, 0, transaction, 0, 0, *(NOBODY,) * 4, self.mac)
        message = fixed + b"\x63\x82\x53\x63" + options + bytes((55, 4, 1, 3, 26, 121, 255))
        udp = struct.pack("!HHHH", 68, 67, 8 + len(message), 0) + message
        self.send(EVERYONE, 0x0800, ip(17, NOBODY, b"\xff" * 4, udp))
        for frame in self.frames(PATIENCE):
            if frame[12:14] != b"\x08\0" or frame[23] != 17 or frame[36:38] != b"\0\x44" or frame[46:50] != transaction:
                continue
            said = dict(self.options(frame[42 + 240 :]))
            if said.get(53) in (b"\2", b"\5"):
                return frame[58:62], said.get(54, NOBODY)
            return None
        return None

    @staticmethod
    def options(data: bytes):
        at = 0
        while at + 1 < len(data) and data[at] != 255:
            if data[at] == 0:
                at += 1
                continue
            yield data[at], data[at + 2 : at + 2 + data[at + 1]]
            at += 2 + data[at + 1]

    def ping(self, address: str, size: int = 56) -> dict[str, object]:
        """Whether the address is resolved and answers an echo request of ``size`` bytes."""
        there = IPv4Address(address).packed
        self.arp(1, self.address, bytes(6), there)
        mac = None
        for frame in self.frames(PATIENCE):
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2" and frame[28:32] == there:
                mac = frame[22:28]
                break
        if mac is None:
            return {"mac": "", "answered": False}
        echo = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, 1) + bytes(size)
        echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
        self.send(mac, 0x0800, ip(1, self.address, there, echo))
        found = any(
            f[12:14] == b"\x08\0" and f[23] == 1 and f[34] == 0 and f[26:30] == there for f in self.frames(PATIENCE)
        )
        return {"mac": mac.hex(":"), "answered": found}

    def obey(self, order: dict[str, object]) -> dict[str, object]:
        do = str(order.pop("do"))
        return {"lease": self.lease, "ping": self.ping}[do](**order)


def main() -> None:
    tap, mac, path, *words = sys.argv[1:]
    guest = Guest(tap, mac)
    show(words)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    Path(path).unlink(missing_ok=True)
    listener.bind(path)
    listener.listen(8)
    while True:
        ready, _, _ = select.select([listener, guest.wire], [], [])
        if guest.wire in ready:
            for _ in guest.frames(0.001):
                pass
        if listener in ready:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as lines:
                for line in lines:
                    lines.write(json.dumps(guest.obey(json.loads(line))) + "\n")
                    lines.flush()


if __name__ == "__main__":
    main()
