"""What the dashboard's settings say of the servers behind it (openstack_dashboard/local/local_settings.py).

>>> settings_of('OPENSTACK_HOST = "192.0.2.1"\\nOPENSTACK_KEYSTONE_URL = "http://%s:5000/v3" % OPENSTACK_HOST\\n')
[('keystone', '192.0.2.1', 5000, 'OPENSTACK_KEYSTONE_URL = "http://%s:5000/v3" % OPENSTACK_HOST')]
>>> settings_of("'LOCATION': ['192.0.2.1:11211', '192.0.2.2:11211'],\\n# 'LOCATION': '127.0.0.1:11211',\\n")[1][:3]
('memcached', '192.0.2.2', 11211)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.facts.answers import output
from stackdoctor.facts.table import excerpt
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["HorizonBackend", "HorizonSettings", "settings_of"]

SETTINGS = Probe(
    "horizon.settings",
    files=(
        "/etc/openstack-dashboard/local_settings.py",
        "/etc/openstack-dashboard/local_settings",
        "/etc/openstack-dashboard/local_settings.d/*.py",
        "/var/lib/config-data/puppet-generated/horizon/etc/openstack-dashboard/local_settings",
        "/etc/kolla/horizon/local_settings",
        "/etc/kolla/horizon/_9998-kolla-settings.py",
    ),
    root=True,
    cap=512 * 1024,
)

_HOST = re.compile(r"OPENSTACK_HOST\s{0,9}=\s{0,9}[\"']([\w.:-]{1,200})[\"']")
_URL = re.compile(
    r"OPENSTACK_KEYSTONE_URL\s{0,9}=\s{0,9}[\"']https?://(%s|[\w.-]{1,200}|\[[\da-fA-F:]{2,40}\])(?::(\d{1,5}))?/"
)
_LOCATION = re.compile(r"[\"']LOCATION[\"']\s{0,9}:")
_SERVER = re.compile(r"[\"'](?:inet6?:)?(\[[\da-fA-F:]{2,40}\]|[\w.-]{1,200}):(\d{1,5})[\"']")


@dataclass(frozen=True)
class HorizonBackend:
    """One server that the dashboard needs: ``kind`` is keystone or memcached."""

    kind: str
    address: str
    port: int
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.kind} at {self.address}:{self.port}"


@dataclass(frozen=True)
class HorizonSettings:
    """The servers in the dashboard's settings; a URL without a port (``http://h/identity/v3``) names none."""

    backends: tuple[HorizonBackend, ...]
    evidence: Evidence

    probes: ClassVar[tuple[Probe, ...]] = (SETTINGS,)

    def __iter__(self) -> Iterator[HorizonBackend]:
        return iter(self.backends)

    @classmethod
    def parse(cls, results: NodeResults) -> HorizonSettings:
        """The settings; raises NotApplicable on a node without a dashboard, CouldNotCheck."""
        answers = results.usable(SETTINGS)
        for result in results.every(SETTINGS):
            if result.status is not Status.MISSING:
                output(result)
        # a later file overrides: where two name servers, what holds is the last one's
        found: dict[str, list[HorizonBackend]] = {}
        for result in answers:
            own: dict[str, list[HorizonBackend]] = {}
            for kind, address, port, line in settings_of(result.text):
                backend = HorizonBackend(kind, address, port, results.evidence(result, line))
                own.setdefault(kind, []).append(backend)
            found.update(own)
        return cls(tuple(b for kind in sorted(found) for b in found[kind]), results.evidence(answers[0], ""))


def settings_of(text: str) -> list[tuple[str, str, int, str]]:
    """Kind, address, port and line of each server that the Python source ``text`` names outside of comments."""
    found: list[tuple[str, str, int, str]] = []
    host, inside = "", False
    for line in text.split("\n"):
        bare = line.strip()[:2000]
        if bare.startswith("#"):
            continue
        if match := _HOST.match(bare):
            host = match[1]
        elif match := _URL.match(bare):
            address = host if match[1] == "%s" else match[1].strip("[]")
            if address and match[2]:
                found = [entry for entry in found if entry[0] != "keystone"]
                found.append(("keystone", address, int(match[2]), excerpt(bare)))
        inside = inside or bool(_LOCATION.search(bare))
        if inside:
            servers = _SERVER.finditer(bare)
            found += [("memcached", m[1].strip("[]"), int(m[2]), excerpt(bare)) for m in servers]
            opened = "[" in _SERVER.sub("", bare) and "]" not in _SERVER.sub("", bare)
            going_on = not _LOCATION.search(bare) and "]" not in _SERVER.sub("", bare) and "}" not in bare
            inside = opened or going_on
    return found
