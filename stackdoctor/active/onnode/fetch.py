"""One HTTP request to a metadata proxy, without an instance's identity.  Arguments: ADDRESS PORT.

It carries the mark that the router's rules give to what comes for 169.254.169.254: they drop all else to that port
(neutron/agent/metadata/driver.py, metadata_filter_rules).
"""

import json
import signal
import socket
import sys
import time
from typing import Any, Dict, List

REQUEST = b"GET /openstack HTTP/1.0\r\nHost: 169.254.169.254\r\nUser-Agent: stackdoctor\r\n\r\n"
MOST = 8192
SO_MARK, METADATA_MARK = 36, 1


def main(arguments: List[str]) -> None:
    signal.alarm(40)
    answer: Dict[str, Any] = {"connected": False}
    began = time.monotonic()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.setsockopt(socket.SOL_SOCKET, SO_MARK, METADATA_MARK)
            stream.settimeout(5.0)
            stream.connect((arguments[0], int(arguments[1])))
            answer["connected"] = True
            stream.settimeout(30.0)
            stream.sendall(REQUEST)
            data = b""
            while len(data) < MOST:
                piece = stream.recv(MOST)
                if not piece:
                    break
                data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        words = head.split(b"\r\n")[0].decode("latin-1").split(" ", 2)
        answer["status"] = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        answer["body"] = body.decode("latin-1")[:300]
    except OSError as error:
        answer["error"] = str(error) or type(error).__name__
    answer["ms"] = (time.monotonic() - began) * 1000
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
