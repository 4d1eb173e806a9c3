"""Removing what a smoke check made, in the order in which it can be removed; what stays is told with its commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stackdoctor.active.smoke_api import Api, brief, is_api_error, is_gone
from stackdoctor.active.smoke_steps import Ledger, Made

__all__ = ["KINDS", "Left", "command_for", "remove_all"]

KINDS = (
    "stack",
    "floating IP",
    "server",
    "port",
    "router",
    "volume",
    "security group",
    "subnet",
    "network",
)
"""In the order of their removal: each hangs on none that comes later."""

PAUSE = 1.0
ROUNDS = 3


@dataclass(frozen=True)
class Left:
    """What could not be removed, why, and the command that removes it."""

    made: Made
    why: str
    command: str


class _Failed(Exception):
    """Heat gave up removing; what it made is removed one by one then."""


class Removal:
    """One removal: ``gone`` are those that are known to be gone, ``why`` what was said of the others."""

    def __init__(self, api: Api, prefix: str, ledger: Ledger, timeout: float, tell: Callable[[str], None]) -> None:
        self._cloud = api.connection
        self._api = api
        self._prefix = prefix
        self._ledger = ledger
        self._timeout = timeout
        self._tell = tell
        self.gone: set[tuple[str, str]] = set()
        self.why: dict[tuple[str, str], str] = {}

    @property
    def left(self) -> tuple[Left, ...]:
        """What of the ledger is not known to be gone, in the order in which to remove it."""
        rows = [made for kind in KINDS for made in self._ledger.rows if made.kind == kind]
        return tuple(
            Left(made, self.why.get((made.kind, made.id), "not tried"), command_for(made, self._api.name))
            for made in rows
            if (made.kind, made.id) not in self.gone
        )

    def run(self) -> None:
        """Remove all that is in the ledger, and what else has the prefix: a call that was cut off may have made it."""
        until = time.monotonic() + self._timeout
        for _ in range(ROUNDS):
            for kind in KINDS:
                for id_ in self._open(kind):
                    self._one(kind, id_, until)
            if not self._find() and not self.left:
                return
            if time.monotonic() >= until:
                return

    def _open(self, kind: str) -> list[str]:
        return [id_ for id_ in reversed(self._ledger.ids(kind)) if (kind, id_) not in self.gone]

    def _one(self, kind: str, id_: str, until: float) -> None:
        self._tell(f"{kind} {id_}")
        try:
            self._delete(kind, id_, until)
            while not self._is_gone(kind, id_):
                if time.monotonic() >= until:
                    self.why[kind, id_] = self.why.get((kind, id_)) or "it did not go away in time"
                    return
                time.sleep(PAUSE)
        except _Failed as error:
            self.why[kind, id_] = str(error)
            return
        except Exception as error:
            if not is_api_error(error):
                raise
            if not is_gone(error):
                self.why[kind, id_] = brief(error)
                return
        self.gone.add((kind, id_))

    def _delete(self, kind: str, id_: str, until: float) -> None:
        cloud = self._cloud
        if kind == "stack":
            cloud.orchestration.delete_stack(id_)
        elif kind == "floating IP":
            cloud.network.delete_ip(id_)
        elif kind == "server":
            cloud.compute.delete_server(id_)
        elif kind == "port":
            cloud.network.delete_port(id_)
        elif kind == "router":
            for port in cloud.network.ports(device_id=id_, device_owner="network:router_interface"):
                cloud.network.remove_interface_from_router(id_, None, port.id)
            cloud.network.delete_router(id_)
        elif kind == "volume":
            self._delete_volume(id_, until)
        elif kind == "security group":
            cloud.network.delete_security_group(id_)
        elif kind == "subnet":
            cloud.network.delete_subnet(id_)
        else:
            cloud.network.delete_network(id_)

    def _delete_volume(self, id_: str, until: float) -> None:
        """Delete a volume once it lets itself be deleted; what a failed attachment has left is deleted before."""
        storage = self._cloud.block_storage
        while str(storage.get_volume(id_).status) not in ("available", "error", "error_deleting"):
            for attachment in storage.attachments(details=False, volume_id=id_):
                storage.delete_attachment(attachment.id)
            if time.monotonic() >= until:
                break
            time.sleep(PAUSE)
        storage.delete_volume(id_)

    def _is_gone(self, kind: str, id_: str) -> bool:
        cloud = self._cloud
        look: dict[str, Callable[[str], Any]] = {
            "stack": lambda i: cloud.orchestration.get_stack(i),
            "floating IP": cloud.network.get_ip,
            "server": cloud.compute.get_server,
            "port": cloud.network.get_port,
            "router": cloud.network.get_router,
            "volume": lambda i: cloud.block_storage.get_volume(i),
            "security group": cloud.network.get_security_group,
            "subnet": cloud.network.get_subnet,
            "network": cloud.network.get_network,
        }
        try:
            found = look[kind](id_)
        except Exception as error:
            if is_gone(error):
                return True
            raise
        status = str(getattr(found, "status", "") or "")
        if kind == "stack":
            if status == "DELETE_FAILED":
                raise _Failed(f"{status}: {found.status_reason}")
            return status == "DELETE_COMPLETE"
        if kind == "server" and status in ("DELETED", "SOFT_DELETED"):
            return True
        if status in ("ERROR", "error_deleting"):
            self.why[kind, id_] = f"it is in state {status} since it was deleted"
        return False

    def _find(self) -> bool:
        """Write down what has the prefix and is not in the ledger; whether there is any."""
        before = len(self._ledger.rows)
        for kind, rows in (
            ("server", lambda: self._cloud.compute.servers(name=self._prefix, details=False)),
            ("floating IP", lambda: self._cloud.network.ips(description=self._prefix)),
            ("port", lambda: self._own(self._cloud.network.ports)),
            ("router", lambda: self._own(self._cloud.network.routers)),
            ("volume", self._volumes),
            ("security group", lambda: self._own(self._cloud.network.security_groups)),
            ("subnet", lambda: self._own(self._cloud.network.subnets)),
            ("network", lambda: self._own(self._cloud.network.networks)),
        ):
            try:
                for row in rows():
                    name = str(getattr(row, "description" if kind == "floating IP" else "name", "") or "")
                    if name.startswith(self._prefix) and (kind, row.id) not in self.gone:
                        known = row.id in self._ledger.ids(kind)
                        if not known:
                            self._ledger.add(kind, row.id, name)
            except Exception as error:
                if not is_api_error(error):
                    raise  # a service that does not list cannot be asked for more than what is known
        return len(self._ledger.rows) > before

    def _own(self, listing: Callable[..., Iterator[Any]]) -> Iterator[Any]:
        return listing(project_id=self._cloud.current_project_id)

    def _volumes(self) -> Iterator[Any]:
        return self._cloud.block_storage.volumes(details=False) if self._api.has_cinder else iter(())


def remove_all(api: Api, prefix: str, ledger: Ledger, timeout: float, tell: Callable[[str], None]) -> tuple[Left, ...]:
    """Remove all of ``ledger`` and what else is called ``prefix``; what is left of it.

    A KeyboardInterrupt ends it; then all that is not known to be gone is left.
    """
    removal = Removal(api, prefix, ledger, timeout, tell)
    try:
        removal.run()
    except KeyboardInterrupt:
        for left in removal.left:
            removal.why.setdefault((left.made.kind, left.made.id), "the removal was stopped")
    return removal.left


def command_for(made: Made, cloud: str) -> str:
    """What an operator types to remove it."""
    words = ["openstack", *(("--os-cloud", cloud) if cloud else ())]
    if made.kind == "router":
        base = " ".join(words)
        ports = f"{base} port list --router {made.id} --device-owner network:router_interface -f value -c ID"
        return f"for p in $({ports}); do {base} router remove port {made.id} $p; done; {base} router delete {made.id}"
    last = {"stack": "stack delete --yes", "floating IP": "floating ip delete"}.get(made.kind, f"{made.kind} delete")
    return " ".join((*words, last, made.id))
