"""The servers that the dashboard cannot do without."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.horizon import HorizonBackend, HorizonSettings
from stackdoctor.facts.nova_config import is_loopback
from stackdoctor.facts.processes import Processes
from stackdoctor.facts.reach import Reach
from stackdoctor.facts.sockets import Socket, Sockets

ANY = ("0.0.0.0", "*", "::", "")


@check("horizon.backend.silent", severity=Severity.ERROR)
def backend_silent(
    settings: Cloud[HorizonSettings], sockets: Cloud[Sockets], processes: Cloud[Processes], reach: Cloud[Reach]
) -> Iterator[Finding]:
    """The dashboard's settings name a Keystone or memcached at an address of this cloud where nothing listens.

    Nobody can log in, or everybody is logged out again and again.  Addresses that belong to none of the nodes (a
    virtual one, a name in DNS) are not judged, nor are nodes where no web server runs.
    """
    for node, own in settings:
        rows = processes.facts.get(node)
        if rows is None or not any(not p.zombie for s in ("apache2", "horizon") for p in rows.of(s)):
            continue
        for backend in own:
            where = _node_of(node, backend, reach)
            if where not in sockets.facts:
                continue
            if not any(_serves(s, backend, local=where == node) for s in sockets.facts[where].listeners):
                yield Finding(
                    backend,
                    f"the dashboard on {node} expects {backend}, and nothing listens there",
                    node=node,
                    evidence=backend.evidence,
                    host=node,
                    backend=backend.kind,
                    target_host=where,
                    address=backend.address,
                )


def _node_of(node: str, backend: HorizonBackend, reach: Cloud[Reach]) -> str:
    if is_loopback(backend.address):
        return node
    names = (backend.address,)
    return next((n for n, r in reach if {n, r.address, r.hostname}.intersection(names)), "")


def _serves(socket: Socket, backend: HorizonBackend, *, local: bool) -> bool:
    if socket.protocol != "tcp" or socket.local_port != backend.port:
        return False
    address = socket.local.strip("[]")
    # a name may stand for any address of its node
    return not (local and is_loopback(backend.address)) or address in ANY or is_loopback(address)
