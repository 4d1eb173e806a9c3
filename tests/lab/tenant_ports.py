"""The ports and networks of the lab's tenant network, and how a host is made to have them.

The ids are those of tests/facts/samples: ``NET`` has DHCP on the controller and an instance on each compute node;
``PAIR`` has a DHCP server on the controller and another one on compute2, no router, and a port that is not plugged in.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.hosts import Host

from stackdoctor.facts.neutron_names import tap

__all__ = [
    "EXTERNAL",
    "EXTERNAL_GATEWAY",
    "FLOATING",
    "GATEWAY",
    "INNER",
    "INSTANCES",
    "MTU",
    "NET",
    "NETWORKS",
    "PAIR",
    "ROUTER",
    "SAMPLES",
    "Network",
    "Port",
    "bare_bridge",
    "in_namespace",
    "plug_script",
    "shell",
]

SAMPLES = Path(__file__).parents[1] / "facts" / "samples"
MTU = 1450


@dataclass(frozen=True)
class Port:
    """A Neutron port on ``host``; ``address`` has no prefix length."""

    id: str
    mac: str
    address: str
    host: str


@dataclass(frozen=True)
class Network:
    """A VXLAN network with one subnet (the first three numbers of its addresses in ``prefix``).

    ``unbound`` are ports that are on no host: Neutron writes them into the files of its DHCP servers all the same.
    """

    id: str
    subnet: str
    vni: int
    prefix: str
    dhcp: tuple[Port, ...]
    others: tuple[Port, ...] = ()
    unbound: tuple[Port, ...] = ()

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
    unbound=(Port("5d0c2f2e-6a1b-4c55-9d3e-7b1f0a94e812", "fa:16:3e:2a:5c:1c", "10.20.0.28", ""),),
)
NETWORKS = (NET, PAIR)


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
