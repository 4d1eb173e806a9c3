"""DHCPDISCOVER into a bridge, and every frame that answers it.  Arguments: BRIDGE MAC SECONDS.

The station lives in a network namespace that only this program's child has: when that ends, however it ends, the
kernel takes the namespace and both ends of the veth pair away.  The frames are sent from an address of their own and
ask for a broadcast answer: no switch learns a wrong place for the MAC that is asked about.
"""

import binascii
import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Dict, List

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
ETH_IP = 0x0800
INNER = "station"
ASKED_FOR = (1, 3, 6, 15, 26, 51, 54, 58, 59, 121)
MOST = 50


def ip(*arguments: str) -> None:
    ran = subprocess.run(["ip"] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10)
    if ran.returncode:
        raise OSError("ip %s: %s" % (" ".join(arguments), ran.stderr.decode("utf-8", "replace").strip()[:200]))


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - (total + (total >> 16)) % 0x10000


def discover(source: bytes, mac: bytes, xid: bytes) -> bytes:
    """The frame: RFC 2131 with the broadcast flag, option 53 = 1, option 55."""
    bootp = struct.pack("!BBBB", 1, 1, 6, 0) + xid + struct.pack("!HH", 0, 0x8000) + b"\0" * 16
    bootp += mac + b"\0" * 10 + b"\0" * 192 + b"\x63\x82\x53\x63"
    bootp += b"\x35\1\1" + struct.pack("!BB", 55, len(ASKED_FOR)) + bytes(ASKED_FOR) + b"\xff"
    bootp += b"\0" * max(0, 300 - len(bootp))
    udp = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\0" * 4, b"\xff" * 4)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return b"\xff" * 6 + source + struct.pack("!H", ETH_IP) + head + udp


def listen(mac: str, seconds: float) -> Dict[str, Any]:
    """In the namespace: ask at 0, 1 and 3 s, and keep what answers."""
    own = b"\x02" + os.urandom(5)
    ip("link", "set", INNER, "address", ":".join("%02x" % byte for byte in own), "addrgenmode", "none", "up")
    xid = os.urandom(4)
    frame = discover(own, bytes(int(part, 16) for part in mac.split(":")), xid)
    found: List[Dict[str, Any]] = []
    sent = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_IP)) as link:
        link.bind((INNER, ETH_IP))
        began = time.monotonic()
        turns = [turn for turn in (0.0, 1.0, 3.0) if turn < seconds]
        while True:
            now = time.monotonic() - began
            if turns and now >= turns[0] and (turns[0] == 0.0 or not found):
                link.send(frame)
                sent, last = sent + 1, time.monotonic()
            turns = [turn for turn in turns if turn > now]
            if now >= seconds or len(found) >= MOST:
                break
            wait = min([seconds] + turns) - now
            if select.select([link], [], [], max(0.0, wait))[0]:
                data = link.recv(4096)
                if len(data) > 50 and data[23] == 17 and xid in data[40:60]:
                    text = binascii.hexlify(data).decode("ascii")
                    found.append({"ms": (time.monotonic() - last) * 1000, "frame": text})
    return {"sent": sent, "frames": found}


def station(mac: str, seconds: float, ready: int, go: int) -> None:
    """The child: its own namespace, then what the parent plugs into it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if libc.unshare(CLONE_NEWNET):
        raise OSError("no network namespace: %s" % os.strerror(ctypes.get_errno()))
    os.write(ready, b"r")
    if os.read(go, 1):
        print(json.dumps(listen(mac, seconds)))
        sys.stdout.flush()


def plug(name: str, bridge: str, pid: int) -> None:
    """A veth pair from the bridge to the station.  What the bridge has stays as it is: its MTU and its own MAC."""
    with open("/sys/class/net/%s/mtu" % bridge) as file:
        mtu = file.read().strip()
    high = "fe:" + ":".join("%02x" % byte for byte in os.urandom(5))
    pair = ["link", "add", name, "mtu", mtu, "address", high, "type", "veth", "peer", "name", INNER, "mtu", mtu]
    ip(*(pair + ["netns", str(pid)]))
    ip("link", "set", name, "addrgenmode", "none")
    ip("link", "set", name, "master", bridge, "up")


def main(arguments: List[str]) -> None:
    bridge, mac, seconds = arguments[0], arguments[1], float(arguments[2])
    signal.alarm(int(seconds) + 20)
    ready, ready_end = os.pipe()
    go, go_end = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(ready)
        os.close(go_end)
        try:
            signal.alarm(int(seconds) + 20)
            station(mac, seconds, ready_end, go)
        except (OSError, subprocess.SubprocessError) as error:
            print(json.dumps({"error": str(error)}))
            sys.stdout.flush()
        os._exit(0)
    os.close(ready_end)
    os.close(go)
    if os.read(ready, 1):
        try:
            plug("sd-" + binascii.hexlify(os.urandom(4)).decode("ascii"), bridge, pid)
            os.write(go_end, b"g")
        except (OSError, subprocess.SubprocessError) as error:
            print(json.dumps({"error": str(error)}))
            sys.stdout.flush()
    os.close(go_end)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
