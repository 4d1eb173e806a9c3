"""A small cloud with one volume: storage exports it by tgtd, a guest on compute1 has it through QEMU's initiator."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from stackdoctor.model import Status

VOLUME = "d081b393-4a68-4b3a-81c1-e24a9033d57c"
IQN = f"iqn.2010-10.org.openstack:volume-{VOLUME}"
GUEST = "fdcce5e0-9950-47f5-9e85-1d94c8730485"

TARGET = f"""\
Target 1: {IQN}
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 1
            Initiator: iqn.1993-08.org.debian:01:compute1 alias: none
            Connection: 0
                IP Address: 192.168.199.20
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     00010000
            SCSI SN: beaf10
            Size: 0 MB, Block size: 1
            Online: Yes
            Backing store type: null
            Backing store path: None
            Backing store flags: 
        LUN: 1
            Type: disk
            SCSI ID: IET     00010001
            SCSI SN: beaf11
            Size: 1074 MB, Block size: 512
            Online: Yes
            Backing store type: rdwr
            Backing store path: /dev/cinder-volumes/volume-{VOLUME}
            Backing store flags: 
    Account information:
        GhugMC7C5UEmBfG59Nrk
    ACL information:
        ALL
"""  # noqa: W291

DOMAIN = f"""\
<domain type='qemu' id='1'><name>instance-00000006</name><uuid>{GUEST}</uuid><devices>
<disk type='network' device='disk'>
  <driver name='qemu' type='raw' cache='none'/>
  <source protocol='iscsi' name='{IQN}/1' index='3'><host name='192.168.199.30' port='3260'/>
  <auth username='GhugMC7C5UEmBfG59Nrk'><secret type='iscsi' usage='volume'/></auth></source>
  <target dev='vdb' bus='virtio'/>
  <serial>{VOLUME}</serial>
</disk></devices></domain>
"""

CONNECTIONS = "State  Recv-Q Send-Q   Local Address:Port   Peer Address:Port Process\n"
CONNECTED = 'ESTAB 0 0 192.168.199.20:60374 192.168.199.30:3260 users:(("qemu-system-x86",pid=1148,fd=24))\n'
LISTENING = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
UNIT = "Id={0}.service\nLoadState=loaded\nActiveState={1}\nSubState={2}\nUnitFileState=enabled\n"
RUNNING = UNIT.format("tgt", "active", "running")

Answers = Mapping[str, str | tuple[int, str] | Status]


def _addresses(ip: str) -> str:
    address = {"family": "inet", "local": ip, "prefixlen": 24, "scope": "global", "label": "eth0"}
    return json.dumps([{"ifindex": 2, "ifname": "eth0", "flags": [], "addr_info": [address]}])


STORAGE: Answers = {
    "addresses.host": _addresses("192.168.199.30"),
    "tgt.targets": TARGET,
    "tgt.exports": f"/var/lib/cinder/volumes:\nvolume-{VOLUME}\n",
    "lio.saved": Status.MISSING,
    "services.systemd": RUNNING,
    "services.docker": Status.MISSING,
    "services.podman": Status.MISSING,
}
COMPUTE: Answers = {
    "addresses.host": _addresses("192.168.199.20"),
    "libvirt.list": " Id   Name                State\n-------\n 1    instance-00000006   running\n\n",
    "libvirt.dumpxml instance-00000006": DOMAIN,
    "iscsi.sessions": (21, "iscsiadm: No active sessions."),
    "iscsi.paths": (2, "ls: cannot access '/dev/disk/by-path': No such file or directory"),
    "sockets.tcp": CONNECTIONS + CONNECTED,
    "sockets.listening": LISTENING,
}


@pytest.fixture
def look(look: Callable[..., Any]) -> Callable[..., Any]:
    """``look(storage={...}, compute={...})``: this cloud with these answers instead."""

    def at(storage: Answers | None = None, compute: Answers | None = None) -> Any:
        return look(storage={**STORAGE, **(storage or {})}, compute1={**COMPUTE, **(compute or {})})

    return at


@pytest.fixture
def target() -> str:
    """tgtd's own words about the one target."""
    return TARGET


@pytest.fixture
def no_session(target: str) -> str:
    """The target when nobody is logged in."""
    start, _, rest = target.partition("        I_T nexus: 1\n")
    return start + rest[rest.index("    LUN information") :]


@pytest.fixture
def logged() -> Callable[..., dict[str, str]]:
    """``logged(("cinder-vg-missing", "cinder-volume", {"a": "cinder-volumes"}, 30), ...)``: hits, the last so many
    seconds before the scan."""
    until = 1795366000.0

    def build(*hits: tuple[str, str, dict[str, str], float]) -> dict[str, str]:
        rows = []
        for signature, service, keys, age in hits:
            last = until - age
            rows.append(
                {
                    "signature": signature,
                    "service": service,
                    "path": f"/var/log/{service}.log",
                    "keys": keys,
                    "count": 1,
                    "first": last,
                    "last": last,
                    "minutes": {str(int(last // 60)): 1},
                    "samples": [{"time": last, "line": 1, "offset": 0, "text": "the line"}],
                }
            )
        return {"logs.hits": json.dumps({"since": until - 3600, "until": until, "files": [], "hits": rows})}

    return build
