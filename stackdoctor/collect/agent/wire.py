"""Frames on standard output (collect/frames.py reads them)."""

import json
import os
from typing import Any, Dict


def write_frame(fd: int, header: Dict[str, Any], out: bytes = b"", err: bytes = b"") -> int:
    """Send one frame; its length."""
    head = json.dumps(dict(header, out=len(out), err=len(err))).encode("ascii")
    payload = b"".join((head, b"\n", out, err))
    data = memoryview(b"SD1 %08x\n" % len(payload) + payload)
    while data:
        data = data[os.write(fd, data) :]
    return 13 + len(payload)
