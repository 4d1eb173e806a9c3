"""What haproxy's log and a node's services say, as a node's answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stackdoctor.model import Status

NOW = 1795366000.0
DOWN = "Server {0}_back/controller is DOWN, reason: Layer4 connection problem"
NONE = "backend {0}_back has no server available!"
UP = "Server {0}_back/controller is UP"


def _logs(*hits: tuple[str, str, float], file: str = "/var/log/haproxy.log", service: str = "haproxy") -> str:
    """A log scan with hits: signature, the project of the back end, seconds ago."""
    texts = {"haproxy-server-down": DOWN, "haproxy-no-server": NONE, "haproxy-server-up": UP}
    rows = []
    for signature, project, ago in hits:
        keys = {"backend": f"{project}_back"}
        if signature != "haproxy-no-server":
            keys["server"] = "controller"
        when = NOW - ago
        sample = {"time": when, "line": 1, "offset": 0, "text": texts[signature].format(project)}
        row = {"signature": signature, "service": service, "path": file, "keys": keys, "count": 3, "minutes": {}}
        rows.append({**row, "first": when, "last": when, "samples": [sample]})
    files = [
        {
            "path": file,
            "service": service,
            "format": "syslog",
            "bytes": 1,
            "status": "read",
            "first": NOW - 600,
            "last": NOW,
        }
    ]
    return json.dumps({"since": NOW - 600, "until": NOW, "grep": "gnu", "files": files, "hits": rows})


UNIT = "Id={0}.service\nLoadState=loaded\nActiveState={1}\nSubState={2}\nUnitFileState=enabled\n"


def _node(processes: str, *units: str, log: str | None = None) -> dict[str, object]:
    said: dict[str, object] = {"processes": processes, "services.systemd": "\n".join(units)}
    said |= {"services.docker": Status.MISSING, "services.podman": Status.MISSING}
    return said if log is None else {**said, "logs.hits": log}


@pytest.fixture
def logs() -> Callable[..., str]:
    """``logs(("haproxy-no-server", "glance", 30.0), file=..., service=...)``."""
    return _logs


@pytest.fixture
def node() -> Callable[..., dict[str, Any]]:
    """``node(processes, unit, ..., log=...)``."""
    return _node


@pytest.fixture
def out() -> Callable[..., str]:
    """``out("glance", ("haproxy-server-up", 10.0))``: its back end lost its server half a minute ago, and then ..."""
    lost = (("haproxy-server-down", 30.0), ("haproxy-no-server", 30.0))
    return lambda project, *more: _logs(*((signature, project, ago) for signature, ago in (*lost, *more)))
