"""A small VNF made by plain calls of the APIs: network, security group, volume, port, server."""

from __future__ import annotations

import contextlib
from typing import Any

from stackdoctor.active.smoke_api import Api
from stackdoctor.active.smoke_choice import CIDR, VOLUME_GIB, Wanted
from stackdoctor.active.smoke_steps import Ledger, StepFailed, Steps, Stop

__all__ = ["VOLUME_DONE", "call_steps", "launch"]

NETWORK, ROUTER, GROUP, VOLUME, PORT, SERVER, FLOATING = (
    "network and subnet",
    "router",
    "security group rule",
    "volume",
    "port",
    "server is accepted",
    "floating IP",
)
VOLUME_DONE = ("available", "error")


def call_steps(wanted: Wanted) -> tuple[str, ...]:
    """The names of the steps until the server's API has taken the request."""
    own = wanted.network is None
    return (
        *((NETWORK,) if own else ()),
        *((ROUTER,) if own and wanted.external else ()),
        GROUP,
        *((VOLUME,) if wanted.volume else ()),
        PORT,
        *((FLOATING,) if wanted.external else ()),
        SERVER,
    )


def launch(api: Api, wanted: Wanted, steps: Steps, ledger: Ledger, stop: Stop, timeout: float) -> None:
    """Make all of it; what was made is in ``ledger`` as soon as it is.  Raises StepFailed, Stopped."""
    cloud = api.connection
    network, subnet = (wanted.network.id, "") if wanted.network else _network(cloud, wanted, steps, ledger, stop)
    if wanted.external and subnet:
        _router(cloud, wanted, subnet, steps, ledger, stop)
    group = _group(cloud, wanted, steps, ledger, stop)
    if wanted.volume:
        _volume(cloud, wanted, steps, ledger, stop, timeout)
    port = _port(cloud, wanted, network, group, steps, ledger, stop)
    if wanted.external:
        with steps.step(FLOATING) as say:
            address = cloud.network.create_ip(
                floating_network_id=wanted.external.id, port_id=port, description=wanted.prefix
            )
            ledger.add("floating IP", address.id, address.floating_ip_address)
            _tag(cloud, address, wanted)
            say(f"{address.floating_ip_address} of {wanted.external}")
            stop.check()
    with steps.step(SERVER) as say:
        server = cloud.compute.create_server(
            name=wanted.prefix,
            image_id=wanted.image.id,
            flavor_id=wanted.flavor.id,
            networks=[{"port": port}],
            metadata={"stackdoctor-smoke": wanted.prefix},
        )
        ledger.add("server", server.id, wanted.prefix)
        say(f"{server.id}, image {wanted.image}, flavor {wanted.flavor}")
        stop.check()


def _network(cloud: Any, wanted: Wanted, steps: Steps, ledger: Ledger, stop: Stop) -> tuple[str, str]:
    with steps.step(NETWORK) as say:
        network = cloud.network.create_network(name=wanted.prefix)
        ledger.add("network", network.id, wanted.prefix)
        _tag(cloud, network, wanted)
        stop.check()
        subnet = cloud.network.create_subnet(name=wanted.prefix, network_id=network.id, ip_version=4, cidr=CIDR)
        ledger.add("subnet", subnet.id, wanted.prefix)
        _tag(cloud, subnet, wanted)
        say(f"{network.id}, {CIDR}")
        stop.check()
        return network.id, subnet.id


def _router(cloud: Any, wanted: Wanted, subnet: str, steps: Steps, ledger: Ledger, stop: Stop) -> None:
    assert wanted.external is not None
    with steps.step(ROUTER) as say:
        router = cloud.network.create_router(
            name=wanted.prefix, external_gateway_info={"network_id": wanted.external.id}
        )
        ledger.add("router", router.id, wanted.prefix)
        _tag(cloud, router, wanted)
        stop.check()
        cloud.network.add_interface_to_router(router, subnet)
        say(f"{router.id}, gateway in {wanted.external}")
        stop.check()


def _group(cloud: Any, wanted: Wanted, steps: Steps, ledger: Ledger, stop: Stop) -> str:
    with steps.step(GROUP) as say:
        group = cloud.network.create_security_group(name=wanted.prefix, description="of stackdoctor smoke")
        ledger.add("security group", group.id, wanted.prefix)
        _tag(cloud, group, wanted)
        stop.check()
        cloud.network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="icmp"
        )
        say("ICMP comes in")
        stop.check()
        return str(group.id)


def _volume(cloud: Any, wanted: Wanted, steps: Steps, ledger: Ledger, stop: Stop, timeout: float) -> None:
    with steps.step(VOLUME) as say:
        volume = cloud.block_storage.create_volume(
            name=wanted.prefix, size=VOLUME_GIB, metadata={"stackdoctor-smoke": wanted.prefix}
        )
        ledger.add("volume", volume.id, wanted.prefix)
        state = [""]

        def done() -> str | None:
            state[0] = str(cloud.block_storage.get_volume(volume.id).status)
            say(f"{volume.id}: {state[0]}")
            return state[0] if state[0] in VOLUME_DONE else None

        if stop.wait(timeout, "the volume is not available", done, lambda: state[0]) != "available":
            raise StepFailed(f"volume {volume.id} is in state {state[0]}: cinder-volume could not make it")


def _port(cloud: Any, wanted: Wanted, network: str, group: str, steps: Steps, ledger: Ledger, stop: Stop) -> str:
    with steps.step(PORT) as say:
        groups = {"security_group_ids": [group]} if wanted.port_security else {}
        port = cloud.network.create_port(name=wanted.prefix, network_id=network, **groups)
        ledger.add("port", port.id, wanted.prefix)
        _tag(cloud, port, wanted)
        addresses = ", ".join(ip["ip_address"] for ip in port.fixed_ips or ())
        say(f"{port.id}, {addresses or 'without an address'}")
        stop.check()
        return str(port.id)


def _tag(cloud: Any, resource: Any, wanted: Wanted) -> None:
    from openstack.exceptions import HttpException

    # Neutron without the extension standard-attr-tag has no tags; the name is enough then
    with contextlib.suppress(HttpException):
        cloud.network.set_tags(resource, [wanted.prefix])
