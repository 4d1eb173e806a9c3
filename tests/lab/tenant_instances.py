"""The instances of the tenant network.

The one on compute1 is a process with QEMU's command line behind a tap (services/guest.py), as its host sees a virtual
machine; the one on compute2 is a namespace with a DHCP client behind a veth pair, whose end on the host is called as
the tap would be.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

from lab import hosts
from lab.cloud import Cloud
from lab.hosts import SERVICES, Host
from lab.tenant_ports import INSTANCES, MTU, NET, SAMPLES, Port, in_namespace, plug_script, shell

from stackdoctor.facts.neutron_names import bridge, tap

__all__ = [
    "DHCP_SCRIPT",
    "GUEST",
    "INSTANCE_ID",
    "begin_instance",
    "instance_namespace",
    "lease",
    "order",
    "ping",
    "write_security_group",
]

GUEST = "compute1"
INSTANCE_ID = "fdcce5e0-9950-47f5-9e85-1d94c8730485"
DISK = f"/var/lib/nova/instances/{INSTANCE_ID}/disk"
PROGRAM = "/usr/share/guest/guest.py"
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


def command_line(port: Port) -> list[str]:
    """What libvirt 9 starts QEMU 7.2 with, as far as it tells of the guest."""
    serial = f"serial={INSTANCE_ID},uuid={INSTANCE_ID},family=Virtual Machine"
    disk = {
        "driver": "file",
        "filename": f"/var/lib/nova/instances/{INSTANCE_ID}/disk",
        "node-name": "libvirt-1-storage",
    }
    form = {"node-name": "libvirt-1-format", "read-only": False, "driver": "qcow2", "file": "libvirt-1-storage"}
    card = {"driver": "virtio-net-pci", "host_mtu": MTU, "netdev": "hostnet0", "id": "net0", "mac": port.mac}
    return [
        *("/usr/bin/qemu-system-x86_64", "-name", "guest=instance-00000006,debug-threads=on", "-S"),
        *("-machine", "pc-i440fx-7.2,usb=off", "-accel", "tcg", "-m", "128", "-uuid", INSTANCE_ID),
        *("-smbios", f"type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version=26.2.2,{serial}"),
        *("-blockdev", dumped(disk), "-blockdev", dumped(form)),
        *("-device", dumped({"driver": "virtio-blk-pci", "drive": "libvirt-1-format", "id": "virtio-disk0"})),
        *("-netdev", dumped({"type": "tap", "fd": "32", "id": "hostnet0"}), "-device", dumped(card)),
        *("-vnc", "0.0.0.0:0,audiodev=audio1", "-msg", "timestamp=on"),
    ]


def dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def socket_of(port: Port) -> str:
    return f"/run/guest-{port.id[:11]}"


def begin_instance(cloud: Cloud, name: str) -> None:
    """Start the instance of a compute node; returns when its tap is on the bridge."""
    host, port = cloud.hosts[name], INSTANCES[name]
    if name != GUEST:
        (host.root / DHCP_SCRIPT[1:]).write_text(CLIENT)
        (host.root / DHCP_SCRIPT[1:]).chmod(0o755)
        script = plug_script(port, bridge(NET.id), instance_namespace(port), "eth0", MTU, ())
        shell(host, "\n".join(script))
        return
    (host.root / PROGRAM[1:]).parent.mkdir(parents=True, exist_ok=True)
    (host.root / PROGRAM[1:]).write_text((SERVICES / "guest.py").read_text())
    disk = host.root / DISK[1:]
    disk.parent.mkdir(parents=True, exist_ok=True)
    disk.write_bytes(b"QFI\xfb\0\0\0\3")
    arguments = [PROGRAM, tap(port.id), port.mac, socket_of(port), *command_line(port)]
    hosts.start(host, ["/usr/bin/python3", *arguments], log="/run/guest.output")
    cloud.wait_until(lambda: (host.root / socket_of(port)[1:]).exists(), 20, "the guest's socket")
    shell(host, "\n".join(tap_script(port)))


def tap_script(port: Port) -> Iterator[str]:
    """What libvirt and the agent do to the tap: the guest's address with fe in front, the MTU, the bridge."""
    device = tap(port.id)
    yield f"ip link set {device} address fe{port.mac[2:]} mtu {MTU}"
    yield f"ip link set {device} master {bridge(NET.id)} up"


def order(cloud: Cloud, do: str, **arguments: Any) -> dict[str, Any]:
    """Have the guest on compute1 do something; what it answers."""
    path = cloud.hosts[GUEST].root / socket_of(INSTANCES[GUEST])[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        with connection.makefile("rw") as lines:
            lines.write(json.dumps({"do": do, **arguments}) + "\n")
            lines.flush()
            answer: dict[str, Any] = json.loads(lines.readline())
            return answer


def instance_namespace(port: Port) -> str:
    """The namespace that stands for the port's instance."""
    return f"instance-{port.id[:11]}"


def lease(cloud: Cloud, host: str) -> str:
    """The address that the instance on ``host`` gets by DHCP, asking twice; empty if nobody answers."""
    if host == GUEST:
        return str(order(cloud, "lease")["address"])
    namespace = instance_namespace(INSTANCES[host])
    ask = ("busybox", "udhcpc", "-f", "-n", "-q", "-t", "2", "-T", "1", "-i", "eth0", "-s", DHCP_SCRIPT)
    if cloud.run(host, *in_namespace(namespace, *ask)).returncode:
        return ""
    shown = cloud.run(host, "ip", "-n", namespace, "-4", "-o", "address", "show", "dev", "eth0").stdout
    return next((word.partition("/")[0] for word in shown.split() if "/" in word), "")


def ping(cloud: Cloud, host: str, address: str, size: int = 56) -> bool:
    """Whether the address answers the instance on ``host``."""
    if host == GUEST:
        return bool(order(cloud, "ping", address=address, size=size)["answered"])
    ask = ("busybox", "ping", "-c", "1", "-W", "2", "-s", str(size), address)
    return cloud.run(host, *in_namespace(instance_namespace(INSTANCES[host]), *ask)).returncode == 0


def security_group(port: Port) -> str:
    """The rules for an instance on its node: the recorded ones, with this port's names and addresses."""
    recorded, text = INSTANCES["compute1"], (SAMPLES / "iptables-save.healthy.txt").read_text()
    names = [(recorded.id[:11], port.id[:11]), (recorded.id[:10], port.id[:10]), (recorded.id[1:11], port.id[1:11])]
    for old, new in (*names, (recorded.mac, port.mac), (recorded.address, port.address)):
        text = text.replace(old, new)
    return text


def write_security_group(host: Host, port: Port) -> None:
    """The chains and sets that the agent writes for the instance."""
    shell(host, "ipset restore -exist", (SAMPLES / "ipset-save.txt").read_text())
    shell(host, "iptables-restore", security_group(port))
