"""A login to an iSCSI portal that attaches nothing (RFC 7143).  Arguments: ADDRESS PORT TARGET, TARGET - for none.

Without a target it is a discovery session, which lists the targets and logs out.  With one only the first request
of the security stage is sent, and the connection is closed: the answer says whether the target is there, lets this
node in and wants CHAP.  A session that the node has is not touched: the ISID is another one.
"""

import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any, Dict, List, Tuple

LOGIN, LOGIN_ANSWER, TEXT, LOGOUT = 0x43, 0x23, 0x04, 0x06
NAME_FILE = "/etc/iscsi/initiatorname.iscsi"
MOST = 1 << 20
REJECT = 0x3F


def own_name() -> str:
    try:
        with open(NAME_FILE) as file:
            for line in file:
                key, _, value = line.strip().partition("=")
                if key == "InitiatorName":
                    return value
    except OSError:
        pass
    return "iqn.2000-01.org.stackdoctor:test"


def exactly(stream: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = stream.recv(size - len(data))
        if not piece:
            raise OSError("the connection was closed")
        data += piece
    return data


def pdu(stream: socket.socket) -> Tuple[bytes, bytes]:
    """The next header and its data."""
    head = exactly(stream, 48)
    length = struct.unpack("!I", b"\0" + head[5:8])[0]
    if length > MOST:
        raise OSError("it does not speak iSCSI")
    extra = exactly(stream, head[4] * 4)
    body = exactly(stream, (length + 3) // 4 * 4)
    del extra
    return head, body[:length]


def keys(data: bytes) -> List[Tuple[str, str]]:
    found = []
    for part in data.split(b"\0"):
        key, _, value = part.decode("utf-8", "replace").partition("=")
        if key:
            found.append((key, value))
    return found


def send(stream: socket.socket, head: bytes, values: List[Tuple[str, str]]) -> None:
    data = b"".join(("%s=%s" % pair).encode("utf-8") + b"\0" for pair in values)
    head = head[:4] + b"\0" + struct.pack("!I", len(data))[1:] + head[8:]
    stream.sendall(head + data + b"\0" * (-len(data) % 4))


def login(stream: socket.socket, flags: int, isid: bytes, command: int, values: List[Tuple[str, str]]) -> Any:
    """Status class and detail, the answer's keys, its flags and its StatSN."""
    head = struct.pack("!BBBBI", LOGIN, flags, 0, 0, 0) + isid + struct.pack("!HIHHII", 0, 1, 0, 0, command, 0)
    send(stream, head + b"\0" * (48 - len(head)), values)
    answer, data = pdu(stream)
    if answer[0] & 0x3F != LOGIN_ANSWER:
        raise OSError("it does not answer a login (opcode %#x)" % (answer[0] & 0x3F))
    return answer[36], answer[37], keys(data), answer[1], struct.unpack("!I", answer[24:28])[0]


def targets(stream: socket.socket, status: int, command: int) -> List[Dict[str, Any]]:
    """What SendTargets=All lists; then log out."""
    task = 2
    head = struct.pack("!BBHI8sII", TEXT, 0x80, 0, 0, b"\0" * 8, task, 0xFFFFFFFF) + struct.pack("!II", command, status)
    send(stream, head + b"\0" * (48 - len(head)), [("SendTargets", "All")])
    text = b""
    while True:
        answer, data = pdu(stream)
        if answer[0] & 0x3F == REJECT:
            raise OSError("it refuses to list its targets")
        text += data
        status = struct.unpack("!I", answer[24:28])[0] + 1
        if answer[1] & 0x80 or len(text) > MOST:
            break
        task_tag = answer[20:24]
        head = struct.pack("!BBHI8sI", TEXT, 0x80, 0, 0, b"\0" * 8, task) + task_tag
        head += struct.pack("!II", command + 1, status)
        command += 1
        send(stream, head + b"\0" * (48 - len(head)), [])
    found: List[Dict[str, Any]] = []
    for key, value in keys(text):
        if key == "TargetName":
            found.append({"name": value, "portals": []})
        elif key == "TargetAddress" and found:
            found[-1]["portals"].append(value)
    head = struct.pack("!BBHI8sIHHII", LOGOUT | 0x40, 0x80, 0, 0, b"\0" * 8, task + 1, 1, 0, command + 1, status)
    send(stream, head + b"\0" * (48 - len(head)), [])
    return found


def converse(stream: socket.socket, target: str) -> Dict[str, Any]:
    isid = b"\x80" + os.urandom(3) + os.urandom(2)  # type 10b: random
    values = [("InitiatorName", own_name())]
    if target != "-":
        values += [("TargetName", target), ("SessionType", "Normal"), ("AuthMethod", "CHAP,None")]
        kind, detail, said, _, _ = login(stream, 0x81, isid, 1, values)
        method = next((value for key, value in said if key == "AuthMethod"), "")
        return {"class": kind, "detail": detail, "method": method, "initiator": own_name()}
    values += [("SessionType", "Discovery"), ("AuthMethod", "None")]
    kind, detail, said, flags, status = login(stream, 0x81, isid, 1, values)
    method = next((value for key, value in said if key == "AuthMethod"), "")
    if kind == 0 and flags & 3 != 3:
        offers = [("HeaderDigest", "None"), ("DataDigest", "None"), ("MaxRecvDataSegmentLength", "65536")]
        kind, detail, said, flags, status = login(stream, 0x87, isid, 1, offers)
    answer: Dict[str, Any] = {"class": kind, "detail": detail, "method": method}
    if kind == 0 and flags & 0x83 == 0x83:
        answer["targets"] = targets(stream, status + 1, 1)
    return answer


def main(arguments: List[str]) -> None:
    signal.alarm(30)
    answer: Dict[str, Any] = {"connected": False}
    began = time.monotonic()
    try:
        with socket.create_connection((arguments[0], int(arguments[1])), 5.0) as stream:
            answer["connected"] = True
            answer["connect_ms"] = (time.monotonic() - began) * 1000
            stream.settimeout(8.0)
            answer.update(converse(stream, arguments[2]))
    except (OSError, struct.error) as error:
        answer["error"] = str(error) or type(error).__name__
    answer["ms"] = (time.monotonic() - began) * 1000
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
