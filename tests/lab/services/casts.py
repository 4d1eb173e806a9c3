"""A client that casts to the conductor: ``casts.py EACH_SECOND AT_ONCE``, with the transport URL on standard input.

It waits for nothing: the pause between two casts is its rate.
"""

from __future__ import annotations

import sys
import time

import oslo_messaging
from oslo_config import cfg


def main() -> None:
    each_second, at_once = float(sys.argv[1]), int(sys.argv[2])
    oslo_messaging.set_transport_defaults("nova")
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, url=sys.stdin.readline().strip())
    client = oslo_messaging.get_rpc_client(transport, oslo_messaging.Target(topic="conductor", version="3.0"))

    def cast() -> None:
        # the keys of the context that the server's serializer looks for are all optional
        client.cast(
            {},
            "object_class_action_versions",
            objname="Instance",
            objmethod="save",
            object_versions={},
            args=["one"],
            kwargs={},
        )

    for _ in range(at_once):
        cast()
    print("casting", flush=True)
    while True:
        cast()
        time.sleep(1 / each_second)


if __name__ == "__main__":
    main()
