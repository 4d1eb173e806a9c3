"""A tenant network on the lab's hosts as Neutron's agents build it: Linux bridges, VXLAN, dnsmasq, a router.

What is real: bridges, tunnels with their forwarding entries, namespaces, veth pairs and taps, dnsmasq with the
arguments of the DHCP agent, the router's routes and iptables rules, the security group's chains and sets.  What
stands for what:

- the instances are programs that speak DHCP (tenant_instances.py): there is no libvirt, and no ``virsh``;
- the agents are absent: these modules did their work once, nobody repairs what breaks;
- the metadata proxy is ``http.server`` on port 9697, which answers by itself instead of asking Nova;
- the external network ends in the controller: its bridge has the gateway's address, and no physical interface.

The rules are the text of tests/facts/samples.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

from lab import hosts
from lab.cloud import ADDRESSES, Cloud
from lab.tenant_dhcp import DHCP_LOG, DHCP_STATE, dhcp_files, start_dnsmasq
from lab.tenant_instances import DHCP_SCRIPT, begin_instance, lease, write_security_group
from lab.tenant_ports import INNER, INSTANCES, MTU, NETWORKS, Network, bare_bridge, plug_script, shell
from lab.tenant_router import router_script, start_metadata_proxy, write_router_rules

from stackdoctor.facts.neutron_names import bridge, dhcp_device, dhcp_namespace, vxlan_device

__all__ = ["FLOOD", "add_tunnel", "missing", "tenant_network_up"]

PACKAGES = {
    "dnsmasq": "dnsmasq-base",
    "busybox": "busybox",
    "bridge": "iproute2",
    "ipset": "ipset",
    "iptables-restore": "iptables",
    "ss": "iproute2",
}
FLOOD = "00:00:00:00:00:00"


def missing() -> tuple[str, ...]:
    """What the tenant network needs and this machine has not, each as ``package: program is missing``."""
    path = hosts.PATH
    lacking = [
        f"{package}: {name} is missing" for name, package in PACKAGES.items() if not shutil.which(name, path=path)
    ]
    applets = (
        subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=False).stdout if not lacking else ""
    )
    if not lacking and "udhcpc" not in applets.split():
        lacking.append("busybox with udhcpc: this one has not that applet")
    kernel = "ip link add v type vxlan id 1 dstport 8472 local 127.0.0.1 && test -e /proc/sys/net/bridge"
    trial = subprocess.run(["unshare", "-n", "sh", "-c", kernel], capture_output=True, text=True, check=False)
    if trial.returncode:
        lacking.append(f"VXLAN and br_netfilter in the kernel: {trial.stderr.strip() or 'no /proc/sys/net/bridge'}")
    return tuple(lacking)


def bridge_script(network: Network, host: str) -> Iterator[str]:
    """The network's bridge and its tunnel, with the entries that l2population writes."""
    yield from bare_bridge(bridge(network.id))
    yield from tunnel_script(network, host)


def tunnel_script(network: Network, host: str) -> Iterator[str]:
    name, tunnel = bridge(network.id), vxlan_device(network.vni)
    yield (
        f"ip link add {tunnel} type vxlan id {network.vni} dev eth0 local {ADDRESSES[host]} dstport 8472"
        f"\nip link set {tunnel} mtu {MTU} master {name} up"
    )
    for peer in network.hosts:
        if peer != host:
            yield f"bridge fdb append {FLOOD} dev {tunnel} dst {ADDRESSES[peer]}"
    for port in (*network.dhcp, *network.others):
        if port.host != host:
            yield f"bridge fdb replace {port.mac} dev {tunnel} dst {ADDRESSES[port.host]} self permanent"


def add_tunnel(cloud: Cloud, network: Network, host: str) -> None:
    """Make the network's tunnel on a host again, after it was deleted."""
    shell(cloud.hosts[host], "\n".join(tunnel_script(network, host)))


@contextlib.contextmanager
def tenant_network_up(cloud: Cloud) -> Iterator[None]:
    """Both networks on all hosts, the instances with their leases; the hosts are as before afterwards."""
    try:
        for host in ADDRESSES:
            build(cloud, host)
        write_router_rules(cloud)
        start_metadata_proxy(cloud)
        for host, port in INSTANCES.items():
            cloud.wait_until(lambda h=host, a=port.address: lease(cloud, h) == a, 30, f"the lease of {port.address}")
        yield
    finally:
        for host in ADDRESSES:
            take_down(cloud, host)


def build(cloud: Cloud, name: str) -> None:
    host = cloud.hosts[name]
    script: list[str] = []
    served = [(network, port) for network in NETWORKS for port in network.dhcp if port.host == name]
    for network in (n for n in NETWORKS if name in n.hosts):
        script += bridge_script(network, name)
    for network, port in served:
        names = (dhcp_namespace(network.id), dhcp_device(port.id))
        script += plug_script(port, bridge(network.id), *names, MTU, [f"{port.address}/24"])
    if name == INNER.host:
        script += router_script()
    shell(host, "\n".join(["mkdir -p /var/lib/neutron/ns-metadata-proxy", *script]))
    for network, port in served:
        state = host.root / f"{DHCP_STATE[1:]}/{network.id}"
        state.mkdir(parents=True, exist_ok=True)
        (host.root / f"{DHCP_LOG[1:]}/{network.id}").mkdir(parents=True, exist_ok=True)
        for file, text in dhcp_files(network, port).items():
            (state / file).write_text(text)
        start_dnsmasq(cloud, network, name)
    if name in INSTANCES:
        begin_instance(cloud, name)
        write_security_group(host, INSTANCES[name])


TAKE_DOWN = f"""\
for pid in $(ps -eo pid=,comm= | grep qemu-system | sed "s/ *\\([0-9]*\\).*/\\1/"); do kill -KILL $pid; done
rm -f /run/guest-*
for name in $(ip netns list | cut -d' ' -f1); do
    kill -KILL $(ip netns pids $name) 2>/dev/null
    ip netns delete $name
done
for link in $(ls /sys/class/net | grep -E '^(brq|vxlan-|tap)'); do ip link delete $link 2>/dev/null; done
iptables -F; iptables -X; iptables -t raw -F; iptables -t raw -X; ipset destroy
rm -rf {DHCP_STATE} {DHCP_LOG} /var/lib/neutron/ns-metadata-proxy {DHCP_SCRIPT} /var/lib/nova/instances/*-*
"""


def take_down(cloud: Cloud, name: str) -> None:
    """Delete what ``build`` made, as much of it as is there."""
    cloud.run(name, "sh", "-c", TAKE_DOWN)
    left = cloud.run(name, "sh", "-c", "ip netns list; ls /sys/class/net").stdout.split()
    assert sorted(left) == ["eth0", "lo"], f"{name} still has {left}"
