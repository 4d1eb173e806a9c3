"""What is proven of the servers that were made: active, wired, addressed, readable, with a disk that comes and goes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from stackdoctor.active.smoke_api import Api, is_api_error, is_gone
from stackdoctor.active.smoke_steps import Ledger, StepFailed, Steps, Stop

__all__ = ["ATTACHED", "DETACHED", "GUEST", "Ping", "port_of", "proof_steps", "prove"]

ACTIVE, PORT, ADDRESS, CONSOLE, GUEST, FLOATING, ATTACHED, DETACHED = (
    "server is ACTIVE",
    "port is ACTIVE",
    "address is given",
    "console log is readable",
    "guest has its address",
    "floating IP is ACTIVE",
    "volume is in use",
    "volume is detached",
)
Ping = Callable[[str, str], str | None]
"""Asked with a network's id and an address: None where it answers, why not, or empty where nobody can be asked."""
LINES = 400


def proof_steps(volume: bool, external: bool) -> tuple[str, ...]:
    """The names of the proofs, in order."""
    return (
        *(ACTIVE, PORT, ADDRESS, CONSOLE, GUEST),
        *((FLOATING,) if external else ()),
        *((ATTACHED, DETACHED) if volume else ()),
    )


def prove(api: Api, ledger: Ledger, steps: Steps, stop: Stop, timeout: float, ping: Ping | None, by_heat: bool) -> None:
    """Prove all of it, in order.  Raises StepFailed with the first that does not hold, Stopped."""
    cloud, servers = api.connection, ledger.ids("server")
    if not servers:
        raise StepFailed("the template made no server: there is nothing to prove")
    with steps.step(ACTIVE) as say:
        for server in servers:
            _active(cloud, server, stop, timeout, say)
    with steps.step(PORT) as say:
        for server in servers:
            _wired(cloud, server, stop, timeout, say)
    with steps.step(ADDRESS) as say:
        addresses = {server: _addresses(cloud, server) for server in servers}
        bare = [server for server, found in addresses.items() if not found]
        if bare:
            raise StepFailed(f"no port of server {bare[0]} has an address: its network has no subnet, or no free one")
        say(", ".join(address for found in addresses.values() for _, address in found))
    consoles: dict[str, str] = {}
    with steps.step(CONSOLE) as say:
        for server in servers:
            consoles[server] = _written(cloud, server, stop, timeout)
        say(f"{sum(len(text.splitlines()) for text in consoles.values())} lines")
    with steps.step(GUEST) as say:
        for server, found in addresses.items():
            say(_answers(cloud, server, found, stop, timeout, ping))
    if ledger.ids("floating IP"):
        with steps.step(FLOATING) as say:
            for id_ in ledger.ids("floating IP"):
                _floating(cloud, id_, stop, timeout, say)
    if ledger.ids("volume"):
        _volumes(cloud, ledger, steps, stop, timeout, by_heat)


def port_of(cloud: Any, server: str) -> str:
    """The id of the first port of ``server``; empty where there is none, or nobody says."""
    try:
        return next((str(port.id) for port in _ports(cloud, server)), "")
    except Exception as error:
        if not is_api_error(error):
            raise
        return ""


def _active(cloud: Any, id_: str, stop: Stop, timeout: float, say: Callable[[str], None]) -> None:
    state = [""]

    def done() -> Any:
        server = cloud.compute.get_server(id_)
        state[0] = f"{server.status}" + (f", {server.task_state}" if server.task_state else "")
        say(f"{id_}: {state[0]}")
        return server if server.status in ("ACTIVE", "ERROR") else None

    server = stop.wait(timeout, f"server {id_} is not ACTIVE", done, lambda: state[0])
    if server.status == "ERROR":
        fault = server.fault or {}
        raise StepFailed(f"server {id_} is in ERROR: {fault.get('message') or 'Nova does not say why'}")
    say(f"{id_}" + (f" on {server.compute_host}" if server.compute_host else ""))


def _ports(cloud: Any, server: str) -> list[Any]:
    return list(cloud.network.ports(device_id=server))


def _wired(cloud: Any, server: str, stop: Stop, timeout: float, say: Callable[[str], None]) -> None:
    state = [""]

    def done() -> Any:
        ports = _ports(cloud, server)
        state[0] = ", ".join(
            f"{port.id}: {port.status} ({port.binding_vif_type or 'vif type not shown'})" for port in ports
        )
        say(state[0])
        return ports if ports and all(port.status == "ACTIVE" for port in ports) else None

    stop.wait(timeout, "the port is not ACTIVE", done, lambda: state[0] or "the server has no port")


def _wiring(port: Any) -> str:
    bound = f", {port.binding_vif_type}" if port.binding_vif_type else ""
    return f"{port.id}: {port.status}{bound}"


def _addresses(cloud: Any, server: str) -> list[tuple[str, str]]:
    return [(port.network_id, ip["ip_address"]) for port in _ports(cloud, server) for ip in port.fixed_ips or ()]


def _console(cloud: Any, server: str) -> str:
    return str((cloud.compute.get_server_console_output(server, length=LINES) or {}).get("output") or "")


def _written(cloud: Any, server: str, stop: Stop, timeout: float) -> str:
    return stop.wait(timeout, f"the console of {server} stays empty", lambda: _console(cloud, server) or None, str)


def _answers(
    cloud: Any, server: str, addresses: list[tuple[str, str]], stop: Stop, timeout: float, ping: Ping | None
) -> str:
    """By a ping out of the DHCP server's namespace, else by what the guest says on its console; how it was shown."""
    network, address = next(((n, a) for n, a in addresses if ":" not in a), addresses[0])
    said = re.compile(rf"(?<![\w.:]){re.escape(address)}(?![\w:]|\.\d)")
    last = [""]

    def shown() -> str | None:
        why = ping(network, address) if ping else ""
        if why is None:
            return f"{address} answers a ping out of its network's DHCP namespace"
        last[0] = why
        return f"{address} stands on the guest's console" if not why and said.search(_console(cloud, server)) else None

    def seen() -> str:
        more = "no node has its DHCP namespace to ping from" if ping else "nodes (-i, -n) would allow a ping"
        return last[0] or f"its console does not name it; {more}"

    return stop.wait(timeout, f"nothing shows that the guest has {address}", shown, seen)


def _floating(cloud: Any, id_: str, stop: Stop, timeout: float, say: Callable[[str], None]) -> None:
    state = [""]

    def done() -> Any:
        address = cloud.network.get_ip(id_)
        state[0] = f"{address.floating_ip_address}: {address.status}"
        say(state[0])
        return address if address.status == "ACTIVE" else None

    stop.wait(timeout, "the floating IP is not ACTIVE", done, lambda: state[0])


def _volumes(cloud: Any, ledger: Ledger, steps: Steps, stop: Stop, timeout: float, by_heat: bool) -> None:
    server, volumes = ledger.ids("server")[0], ledger.ids("volume")
    held: list[tuple[str, str]] = []
    with steps.step(ATTACHED) as say:
        for volume in volumes:
            if not by_heat:
                cloud.compute.create_volume_attachment(server, volume_id=volume)
                stop.check()
            holder = _in_use(cloud, volume, server, stop, timeout, say)
            held.append((holder, volume))
    with steps.step(DETACHED) as say:
        for holder, volume in held:
            cloud.compute.delete_volume_attachment(holder, volume)
            stop.check()
            _state(cloud, volume, "available", "the volume is not detached", stop, timeout, say)


def _in_use(cloud: Any, volume: str, server: str, stop: Stop, timeout: float, say: Callable[[str], None]) -> str:
    """The server that has the volume."""
    begun = [False]

    def refused(status: str) -> str | None:
        begun[0] = begun[0] or status in ("attaching", "reserved", "in-use")
        if begun[0] and status == "available":
            return "it was attached, and let go again: nova-compute could not connect it"
        return None

    found = _state(cloud, volume, "in-use", "the volume is not attached", stop, timeout, say, refused)
    rows = found.attachments or [{}]
    return str(rows[0].get("server_id") or server)


def _state(
    cloud: Any,
    volume: str,
    wanted: str,
    what: str,
    stop: Stop,
    timeout: float,
    say: Callable[[str], None],
    refused: Callable[[str], str | None] = lambda _: None,
) -> Any:
    state = [""]

    def done() -> Any:
        try:
            found = cloud.block_storage.get_volume(volume)
        except Exception as error:
            if is_gone(error):
                raise StepFailed(f"{what}: volume {volume} is gone") from error
            raise
        state[0] = str(found.status)
        say(f"{volume}: {state[0]}")
        if state[0].startswith("error"):
            raise StepFailed(f"{what}: volume {volume} is in state {state[0]}")
        if (why := refused(state[0])) is not None:
            raise StepFailed(f"{what}: {why}")
        return found if state[0] == wanted else None

    return stop.wait(timeout, what, done, lambda: state[0])
