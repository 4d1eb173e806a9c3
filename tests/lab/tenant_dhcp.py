"""The DHCP servers of the tenant network: dnsmasq with the arguments and the files that the DHCP agent gives it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.cloud import Cloud
from lab.tenant_ports import INNER, MTU, Network, Port, in_namespace

from stackdoctor.facts.neutron_names import dhcp_device, dhcp_namespace

__all__ = ["DHCP_LOG", "DHCP_STATE", "dhcp_files", "start_dnsmasq", "state_of", "stop_dnsmasq", "write_file"]

DHCP_STATE = "/var/lib/neutron/dhcp"
DHCP_LOG = "/var/log/neutron/dnsmasq"


def dhcp_files(network: Network, port: Port) -> dict[str, str]:
    """The files of a network's dnsmasq as the agent writes them."""
    tag, router = f"tag:subnet-{network.subnet}", f"{network.prefix}.1"
    named = [(p, f"host-{p.address.replace('.', '-')}") for p in (*network.dhcp, *network.others, *network.unbound)]
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


def start_dnsmasq(cloud: Cloud, network: Network, host: str, most: int = 256) -> None:
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
        f"--dhcp-lease-max={most}",
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


def state_of(cloud: Cloud, network: Network, host: str) -> Path:
    """Where the agent of ``host`` keeps the network's files, as seen from here."""
    return cloud.hosts[host].root / DHCP_STATE[1:] / network.id


def write_file(cloud: Cloud, network: Network, host: str, name: str, text: str) -> str:
    """Write one of dnsmasq's files and have it read them again, as the agent does; the text before."""
    file = state_of(cloud, network, host) / name
    before = file.read_text()
    file.write_text(text)
    pid = (file.parent / "pid").read_text().strip()
    subprocess.run(cloud.hosts[host].enter("kill", "-HUP", pid), check=True)
    return before
