"""A tenant network on the lab's hosts as Neutron's agents build it: Linux bridges, VXLAN, dnsmasq, a router.

What is real: bridges, tunnels with their forwarding entries, namespaces, veth pairs, dnsmasq with the arguments of
the DHCP agent, the router's routes and iptables rules, the security group's chains and sets.  What stands for what:

- an instance is a namespace ``instance-<port>`` with a DHCP client, joined to its bridge by a veth pair whose end on
  the host is called as the tap would be (there is no libvirt, and no instance for ``virsh``);
- the agents are absent: this module did their work once, nobody repairs what breaks;
- the metadata proxy is ``http.server`` on port 9697, which answers by itself instead of asking Nova;
- the external network ends in the controller: its bridge has the gateway's address, and no physical interface.

The rules are the text of tests/facts/samples, and so are the ids: ``NET`` has DHCP on the controller and an instance
on each compute node; ``PAIR`` has a DHCP server on the controller and another one on compute2, and no router.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import hosts
from lab.cloud import ADDRESSES, Cloud
from lab.hosts import Host

from stackdoctor.facts.neutron_names import (
    bridge,
    dhcp_device,
    dhcp_namespace,
    gateway_device,
    router_device,
    router_namespace,
    tap,
    vxlan_device,
)

__all__ = [
    "EXTERNAL_GATEWAY",
    "FLOOD",
    "GATEWAY",
    "INSTANCES",
    "METADATA_PORT",
    "MTU",
    "NET",
    "PAIR",
    "ROUTER",
    "Network",
    "Port",
    "in_namespace",
    "instance_namespace",
    "lease",
    "missing",
    "start_dnsmasq",
    "start_metadata_proxy",
    "stop_dnsmasq",
    "stop_metadata_proxy",
    "tenant_network_up",
    "write_router_rules",
]

SAMPLES = Path(__file__).parents[1] / "facts" / "samples"
PACKAGES = {
    "dnsmasq": "dnsmasq-base",
    "busybox": "busybox",
    "bridge": "iproute2",
    "ipset": "ipset",
    "iptables-restore": "iptables",
    "ss": "iproute2",
}
MTU = 1450
FLOOD = "00:00:00:00:00:00"
METADATA_PORT = 9697
DHCP_STATE = "/var/lib/neutron/dhcp"
DHCP_LOG = "/var/log/neutron/dnsmasq"
DHCP_SCRIPT = "/usr/local/sbin/instance-dhcp"
CLIENT = """\
#!/bin/sh
# What an instance's DHCP client does with the answer.
case "$1" in
bound|renew)
    ip address replace "$ip/$mask" dev "$interface"
    ip link set "$interface" mtu "${mtu:-1500}"
    ip route replace default via "${router%% *}"
    ;;
deconfig)
    ip address flush dev "$interface"
    ;;
esac
"""


@dataclass(frozen=True)
class Port:
    """A Neutron port on ``host``; ``address`` has no prefix length."""

    id: str
    mac: str
    address: str
    host: str


@dataclass(frozen=True)
class Network:
    """A VXLAN network with one subnet (the first three numbers of its addresses in ``prefix``)."""

    id: str
    subnet: str
    vni: int
    prefix: str
    dhcp: tuple[Port, ...]
    others: tuple[Port, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts with a port in it."""
        return tuple(dict.fromkeys(port.host for port in (*self.dhcp, *self.others)))


ROUTER = "c501d0eb-77af-42bd-970d-11e38055b813"
INNER = Port("0cded1ee-8c5d-4c2f-9d61-7f3ab58c4e21", "fa:16:3e:6b:30:11", "10.10.0.1", "controller")
GATEWAY = Port("4f884770-38a4-46fc-8a0b-91c2b0a1e7d3", "fa:16:3e:7c:41:22", "203.0.113.146", "controller")
EXTERNAL = "1ee6b423-4e0f-4d5a-b1f7-3f6a0c9d8e52"
EXTERNAL_GATEWAY, FLOATING = "203.0.113.1", "203.0.113.134"
INSTANCES = {
    "compute1": Port("30d5603c-42b1-4c7e-8a0d-5e9b1f6a7c83", "fa:16:3e:1c:77:97", "10.10.0.189", "compute1"),
    "compute2": Port("584e904e-a1f3-4a55-9b1c-7c7b84a2a1f0", "fa:16:3e:e6:a9:90", "10.10.0.167", "compute2"),
}
NET = Network(
    "8af4f28b-a650-4777-9df9-e50d1c68e83d",
    "f4246c89-8b19-4e28-8985-092fac8dd229",
    994,
    "10.10.0",
    (Port("a76e7b2a-1a57-4f0e-b0c4-2d8e6f913b5c", "fa:16:3e:0d:0a:53", "10.10.0.2", "controller"),),
    (INNER, *INSTANCES.values()),
)
PAIR = Network(
    "c29dcc29-e6c3-4352-b243-df929c3e972b",
    "e2a7b277-3a20-4bcf-a993-0ea28c916ab0",
    822,
    "10.20.0",
    (
        Port("da146156-92e4-4b38-9f5d-60c7a1b2d3e4", "fa:16:3e:2a:5c:02", "10.20.0.2", "controller"),
        Port("e20a775d-5fb0-4e16-8c2a-b9d4e7f60318", "fa:16:3e:2a:5c:03", "10.20.0.3", "compute2"),
    ),
)
NETWORKS = (NET, PAIR)


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


def shell(host: Host, script: str, stdin: str = "") -> str:
    """What a shell script says that must not fail; raises RuntimeError with what went wrong."""
    argv = host.enter("sh", "-exc", script)
    ran = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode:
        raise RuntimeError(f"{host.name}: {ran.stderr.strip()}")
    return ran.stdout


def in_namespace(namespace: str, *argv: str) -> tuple[str, ...]:
    """The command that runs ``argv`` in a namespace of the host it is given to."""
    return ("ip", "netns", "exec", namespace, *argv)


def instance_namespace(port: Port) -> str:
    """The namespace that stands for the port's instance."""
    return f"instance-{port.id[:11]}"


# -- what the Linux bridge agent makes


def bridge_script(network: Network, host: str) -> Iterator[str]:
    """The network's bridge and its tunnel, with the entries that l2population writes."""
    name, tunnel = bridge(network.id), vxlan_device(network.vni)
    yield from bare_bridge(name)
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


def bare_bridge(name: str) -> Iterator[str]:
    yield f"ip link add {name} type bridge forward_delay 0 mcast_snooping 0\nip link set {name} up"


def plug_script(port: Port, on: str, namespace: str, inner: str, mtu: int, addresses: Sequence[str]) -> Iterator[str]:
    """A veth pair from bridge ``on`` into ``namespace`` (made if it is not there), with the port's MAC inside."""
    yield f"ip netns add {namespace} 2>/dev/null || true\nip -n {namespace} link set lo up"
    outer = tap(port.id)
    yield f"ip link add {outer} mtu {mtu} type veth peer name {inner} netns {namespace} address {port.mac} mtu {mtu}"
    yield f"ip link set {outer} master {on} up\nip -n {namespace} link set {inner} up"
    for address in addresses:
        yield f"ip -n {namespace} address add {address} dev {inner}"


def security_group(port: Port) -> str:
    """The rules for an instance on its node: the recorded ones, with this port's names and addresses."""
    recorded, text = INSTANCES["compute1"], (SAMPLES / "iptables-save.healthy.txt").read_text()
    names = [(recorded.id[:11], port.id[:11]), (recorded.id[:10], port.id[:10]), (recorded.id[1:11], port.id[1:11])]
    for old, new in (*names, (recorded.mac, port.mac), (recorded.address, port.address)):
        text = text.replace(old, new)
    return text


# -- what the DHCP agent makes


def dhcp_files(network: Network, port: Port) -> dict[str, str]:
    """The files of a network's dnsmasq as the agent writes them."""
    tag, router = f"tag:subnet-{network.subnet}", f"{network.prefix}.1"
    named = [(p, f"host-{p.address.replace('.', '-')}") for p in (*network.dhcp, *network.others)]
    routed = INNER in network.others
    routes = f"169.254.169.254/32,{router},0.0.0.0/0,{router}"
    options = [f"{tag},option:dns-server,{port.address}"]
    options += [f"{tag},option:classless-static-route,{routes}", f"{tag},249,{routes}"] if routed else []
    options += [f"{tag},option:router,{router}" if routed else f"{tag},option:router"]
    return {
        "host": "".join(f"{p.mac},{name}.openstacklocal,{p.address}\n" for p, name in named),
        "addn_hosts": "".join(f"{p.address}\t{name}.openstacklocal {name}\n" for p, name in named),
        "opts": "\n".join(options),
        "leases": "",
        "interface": dhcp_device(port.id),
    }


def start_dnsmasq(cloud: Cloud, network: Network, host: str) -> None:
    """Start the network's dnsmasq in its namespace as the DHCP agent does; returns when it serves."""
    state = f"{DHCP_STATE}/{network.id}"
    arguments = [
        "--no-hosts",
        "--no-resolv",
        f"--pid-file={state}/pid",
        f"--dhcp-hostsfile={state}/host",
        f"--addn-hosts={state}/addn_hosts",
        f"--dhcp-optsfile={state}/opts",
        f"--dhcp-leasefile={state}/leases",
        "--dhcp-match=set:ipxe,175",
        "--dhcp-userclass=set:ipxe6,iPXE",
        "--local-service",
        "--bind-dynamic",
        f"--dhcp-range=set:subnet-{network.subnet},{network.prefix}.0,static,255.255.255.0,120s",
        f"--dhcp-option-force=option:mtu,{MTU}",
        "--dhcp-lease-max=256",
        "--conf-file=/dev/null",
        "--domain=openstacklocal",
        "--log-queries",
        "--log-dhcp",
        f"--log-facility={DHCP_LOG}/{network.id}/dhcp_dns_log",
    ]
    argv = cloud.hosts[host].enter(*in_namespace(dhcp_namespace(network.id), "dnsmasq", *arguments))
    subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)


def stop_dnsmasq(cloud: Cloud, network: Network, host: str) -> None:
    """Kill the network's dnsmasq and wait until it is gone; its files stay."""
    pid = int((cloud.hosts[host].root / f"{DHCP_STATE[1:]}/{network.id}/pid").read_text())
    subprocess.run(cloud.hosts[host].enter("kill", "-KILL", str(pid)), check=True)
    cloud.wait_until(lambda: pid not in cloud.hosts[host].processes(), 10, f"dnsmasq of {network.id} gone")


def lease(cloud: Cloud, host: str) -> str:
    """The address that the instance on ``host`` gets by DHCP, asking twice; empty if nobody answers."""
    namespace = instance_namespace(INSTANCES[host])
    ask = ("busybox", "udhcpc", "-f", "-n", "-q", "-t", "2", "-T", "1", "-i", "eth0", "-s", DHCP_SCRIPT)
    if cloud.run(host, *in_namespace(namespace, *ask)).returncode:
        return ""
    shown = cloud.run(host, "ip", "-n", namespace, "-4", "-o", "address", "show", "dev", "eth0").stdout
    return next((word.partition("/")[0] for word in shown.split() if "/" in word), "")


# -- what the L3 agent makes


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


# -- all of it


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
    if name in INSTANCES:
        script += plug_script(INSTANCES[name], bridge(NET.id), instance_namespace(INSTANCES[name]), "eth0", MTU, ())
    shell(host, "\n".join(["mkdir -p /var/lib/neutron/ns-metadata-proxy", *script]))
    for network, port in served:
        state = host.root / f"{DHCP_STATE[1:]}/{network.id}"
        state.mkdir(parents=True, exist_ok=True)
        (host.root / f"{DHCP_LOG[1:]}/{network.id}").mkdir(parents=True, exist_ok=True)
        for file, text in dhcp_files(network, port).items():
            (state / file).write_text(text)
        start_dnsmasq(cloud, network, name)
    if name in INSTANCES:
        (host.root / DHCP_SCRIPT[1:]).write_text(CLIENT)
        (host.root / DHCP_SCRIPT[1:]).chmod(0o755)
        shell(host, "ipset restore", (SAMPLES / "ipset-save.txt").read_text())
        shell(host, "iptables-restore", security_group(INSTANCES[name]))


TAKE_DOWN = f"""\
for name in $(ip netns list | cut -d' ' -f1); do
    kill -KILL $(ip netns pids $name) 2>/dev/null
    ip netns delete $name
done
for link in $(ls /sys/class/net | grep -E '^(brq|vxlan-|tap)'); do ip link delete $link 2>/dev/null; done
iptables -F; iptables -X; iptables -t raw -F; iptables -t raw -X; ipset destroy
rm -rf {DHCP_STATE} {DHCP_LOG} /var/lib/neutron/ns-metadata-proxy {DHCP_SCRIPT}
"""


def take_down(cloud: Cloud, name: str) -> None:
    """Delete what ``build`` made, as much of it as is there."""
    cloud.run(name, "sh", "-c", TAKE_DOWN)
    left = cloud.run(name, "sh", "-c", "ip netns list; ls /sys/class/net").stdout.split()
    assert sorted(left) == ["eth0", "lo"], f"{name} still has {left}"
