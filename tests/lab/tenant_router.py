"""The router of the tenant network: its namespace, routes and rules, and what answers for metadata."""

from __future__ import annotations

from collections.abc import Iterator

from lab import hosts
from lab.cloud import Cloud
from lab.tenant_ports import (
    EXTERNAL,
    EXTERNAL_GATEWAY,
    FLOATING,
    GATEWAY,
    INNER,
    MTU,
    NET,
    ROUTER,
    SAMPLES,
    bare_bridge,
    in_namespace,
    plug_script,
    shell,
)

from stackdoctor.facts.neutron_names import bridge, gateway_device, router_device, router_namespace

__all__ = ["METADATA_PORT", "router_script", "start_metadata_proxy", "stop_metadata_proxy", "write_router_rules"]

METADATA_PORT = 9697


def router_script() -> Iterator[str]:
    name, outside = router_namespace(ROUTER), bridge(EXTERNAL)
    yield from bare_bridge(outside)
    yield f"ip address add {EXTERNAL_GATEWAY}/24 dev {outside}"
    yield from plug_script(INNER, bridge(NET.id), name, router_device(INNER.id), MTU, [f"{INNER.address}/24"])
    own = [f"{GATEWAY.address}/24", f"{FLOATING}/32"]
    yield from plug_script(GATEWAY, outside, name, gateway_device(GATEWAY.id), 1500, own)
    yield f"ip -n {name} route add default via {EXTERNAL_GATEWAY} dev {gateway_device(GATEWAY.id)}"
    yield f"ip netns exec {name} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'"


def write_router_rules(cloud: Cloud) -> None:
    """Write the router's rules as the L3 agent did: all tables anew."""
    rules = (SAMPLES / "iptables-save.qrouter.txt").read_text()
    shell(cloud.hosts["controller"], f"ip netns exec {router_namespace(ROUTER)} iptables-restore", rules)


def start_metadata_proxy(cloud: Cloud) -> None:
    """Start what answers on port 9697 of the router; returns when it listens."""
    place = "/var/lib/neutron/ns-metadata-proxy"
    serve = ("/usr/bin/python3", "-m", "http.server", str(METADATA_PORT), "--directory", place)
    hosts.start(cloud.hosts["controller"], in_namespace(router_namespace(ROUTER), *serve))
    cloud.wait_until(lambda: metadata_proxy(cloud), 20, "a metadata proxy that listens")


def metadata_proxy(cloud: Cloud) -> str:
    listens = ("ss", "-Hlnt", "sport", "=", str(METADATA_PORT))
    return cloud.run("controller", *in_namespace(router_namespace(ROUTER), *listens)).stdout


def stop_metadata_proxy(cloud: Cloud) -> None:
    """Kill what answers on port 9697 (nothing else runs in the router's namespace) and wait until it is gone."""
    shell(cloud.hosts["controller"], f"kill -KILL $(ip netns pids {router_namespace(ROUTER)})")
    cloud.wait_until(lambda: not metadata_proxy(cloud), 10, "no metadata proxy")
