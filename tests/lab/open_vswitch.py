"""Open vSwitch on hosts of the lab, in its userspace datapath, wired as neutron-openvswitch-agent leaves it.

Real: ovsdb-server, ovs-vswitchd, bridges, patches, tunnels, tags and flows.  There is no agent, and the only port is
that of a DHCP server without dnsmasq (a port of a guest would need libvirt).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab import hosts
from lab.cloud import ADDRESSES
from lab.hosts import Host

__all__ = ["PORT", "PORT_ID", "missing", "start_switch", "stop_switch", "switch"]

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
PORT_ID = "a76e7b2a-1a57-4f0e-b0c4-2d8e6f913b5c"
PORT = f"tap{PORT_ID[:11]}"
TAG, VNI = 1, 994
PROGRAMS = ("ovs-vsctl", "ovs-ofctl", "ovs-appctl", "ovs-vswitchd", "ovsdb-server", "ovsdb-tool")
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
START = f"""\
mkdir -p /var/run/openvswitch /var/log/openvswitch
ovsdb-tool create /var/run/openvswitch/conf.db {SCHEMA}
ovsdb-server /var/run/openvswitch/conf.db --remote=punix:/var/run/openvswitch/db.sock --pidfile --detach --log-file
ovs-vsctl --no-wait init
ovs-vswitchd --pidfile --detach --log-file
"""
STOP = f"""\
for bridge in br-int br-tun; do
    ovs-vsctl --timeout=20 --if-exists del-br $bridge || true
done
for name in ovs-vswitchd ovsdb-server; do
    kill "$(cat /var/run/openvswitch/$name.pid)" || true
done
for link in br-int br-tun ovs-netdev {PORT}; do
    ip link delete $link 2>/dev/null || true
done
rm -rf /var/run/openvswitch /var/log/openvswitch /usr/bin/ovs-vsctl
"""


def missing() -> tuple[str, ...]:
    """What Open vSwitch on the hosts needs and this machine has not."""
    lacking = [program for program in PROGRAMS if not shutil.which(program, path=hosts.PATH)]
    lacking += [str(place) for place in (SCHEMA, Path("/dev/net/tun")) if not place.exists()]
    return tuple(lacking)


def shell(host: Host, script: str) -> None:
    """Run a script in the host; raises RuntimeError with what went wrong."""
    argv = host.enter("sh", "-exc", script)
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    if ran.returncode:
        raise RuntimeError(f"{host.name}: {ran.stderr.strip()[-2000:]}")


def switch(host: Host, *arguments: str) -> None:
    """``ovs-vsctl`` with these arguments, in the host."""
    shell(host, " ".join(("ovs-vsctl", "--timeout=20", *arguments)))


def start_switch(host: Host, peers: Mapping[str, str]) -> None:
    """Both daemons, the bridges, a tunnel port to each of ``peers`` (addresses by name); a port on the controller."""
    program = shutil.which("ovs-vsctl", path=hosts.PATH)
    assert program is not None
    inside = host.root / "usr/bin/ovs-vsctl"  # the lab hides it from hosts that run no Open vSwitch
    inside.write_bytes(Path(program).read_bytes())
    inside.chmod(0o755)
    shell(host, START + "\n".join([*bridges(host, peers), *flows(peers, host.name == "controller")]))


def bridges(host: Host, peers: Mapping[str, str]) -> Iterator[str]:
    for bridge in ("br-int", "br-tun"):
        yield f"ovs-vsctl add-br {bridge} -- set Bridge {bridge} datapath_type=netdev fail_mode=secure"
    yield (
        "ovs-vsctl add-port br-int patch-tun -- set Interface patch-tun type=patch options:peer=patch-int"
        " -- add-port br-tun patch-int -- set Interface patch-int type=patch options:peer=patch-tun"
    )
    for name, address in peers.items():
        yield (
            f"ovs-vsctl add-port br-tun to-{name} -- set Interface to-{name} type=vxlan options:in_key=flow"
            f" options:out_key=flow options:local_ip={ADDRESSES[host.name]} options:remote_ip={address}"
        )
    if host.name == "controller":
        yield (
            f"ovs-vsctl add-port br-int {PORT} -- set Interface {PORT} type=internal external_ids:iface-id={PORT_ID}"
            f" external_ids:attached-mac=fa:16:3e:0d:0a:53 -- set Port {PORT} tag={TAG}"
            f" other_config:net_uuid={NETWORK} other_config:network_type=vxlan other_config:segmentation_id={VNI}"
        )


def flows(peers: Mapping[str, str], wired: bool) -> Iterator[str]:
    """The tables that frames of the network pass; OpenFlow numbers are looked up where the ports are."""
    yield 'number() { ovs-vsctl get Interface "$1" ofport; }'
    yield "ovs-ofctl del-flows br-int; ovs-ofctl del-flows br-tun"
    yield 'ovs-ofctl add-flow br-int "table=0,priority=0,actions=resubmit(,60)"'
    yield 'ovs-ofctl add-flow br-int "table=60,priority=3,actions=normal"'
    yield 'ovs-ofctl add-flow br-tun "table=0,priority=1,in_port=$(number patch-int),actions=resubmit(,22)"'
    yield f'ovs-ofctl add-flow br-tun "table=4,priority=1,tun_id={VNI:#x},actions=mod_vlan_vid:{TAG},output:1"'
    outputs = ",".join(f"output:$(number to-{name})" for name in peers)
    if wired:
        yield (
            f'ovs-ofctl add-flow br-tun "table=22,priority=1,dl_vlan={TAG},'
            f'actions=strip_vlan,load:{VNI:#x}->NXM_NX_TUN_ID[],{outputs}"'
        )


def stop_switch(host: Host) -> None:
    """Both daemons are gone, and what they left."""
    shell(host, STOP)
