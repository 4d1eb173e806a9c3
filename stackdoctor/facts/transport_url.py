"""The transport URL of oslo.messaging: which broker, as whom, in which virtual host (oslo_messaging/transport.py).

>>> found = parse_transport("rabbit://openstack:<redacted>@ctl1:5672,openstack:<redacted>@[2001:db8::1]//nova?ssl=1")
>>> found.hosts, found.users, found.vhost
((('ctl1', 5672), ('2001:db8::1', 5672)), ('openstack',), '/nova')
>>> parse_transport("rabbit://openstack:<redacted>@192.0.2.10:5672/").vhost, parse_transport("rabbit://").hosts
('/', (('localhost', 5672),))
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import integer
from stackdoctor.facts.table import excerpt

__all__ = ["AMQP_PORT", "Transport", "parse_transport"]

AMQP_PORT = 5672

_URL = re.compile(r"(?P<driver>[\w+.-]{1,40})://(?P<hosts>[^/?#]{0,8000})(?P<path>/[^?#]{0,400})?(?:[?#].{0,2000})?")


@dataclass(frozen=True)
class Transport:
    """``hosts`` as pairs of host and port, the ``users`` that log in there, and the virtual host.

    What stands after the first slash is the virtual host's name; nothing there is the broker's own, ``/``.
    """

    driver: str
    hosts: tuple[tuple[str, int], ...]
    users: tuple[str, ...]
    vhost: str

    def __str__(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in self.hosts)


def parse_transport(url: str) -> Transport:
    """The parts of ``url``.  Raises ParseError for what is none."""
    match = _URL.fullmatch(url.strip())
    if match is None:
        raise ParseError(f"not a transport URL: {excerpt(url)}")
    hosts, users = [], []
    for part in match["hosts"].split(","):
        login, _, place = part.rpartition("@")
        host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
        if not colon:
            host, port = place, ""
        number = integer(port) if port else AMQP_PORT
        if number is None:
            raise ParseError(f"not a port in a transport URL: {excerpt(port)}")
        hosts.append((host.strip("[]") or "localhost", number))
        users.append(login.partition(":")[0] or "guest")
    vhost = (match["path"] or "/")[1:] or "/"
    return Transport(match["driver"], tuple(dict.fromkeys(hosts)), tuple(dict.fromkeys(users)), vhost)
