"""examples/dask, as written: certificates, scheduler and worker of the systemd units, and a look through them."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from stackdoctor.demo.cloud import recorded_cloud

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")

EXAMPLE = Path(__file__).parent.parent / "examples" / "dask"
THERE = "/etc/stackdoctor/dask"


def command_of(unit: str) -> list[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(EXAMPLE / f"stackdoctor-{unit}.service")
    return shlex.split(parser["Service"]["ExecStart"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def started(command: list[str], environment: dict[str, str], until: str, stack: ExitStack) -> None:
    """Start ``command`` until it logs ``until``; the stack ends it."""
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if until in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would hold it up
            return
    pytest.fail(f"{command} ended: {''.join(seen)}")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dask")
    done = subprocess.run([EXAMPLE / "certificates.sh", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "dask.yaml").write_text((EXAMPLE / "dask.yaml").read_text().replace(THERE, str(folder)))
    return folder


@pytest.fixture(scope="module")
def scheduler(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a scheduler with one worker, of the site paris."""
    address = f"127.0.0.1:{free_port()}"
    environment = {**os.environ, "DASK_CONFIG": str(certificates / "dask.yaml")}
    here = {
        "tls://scheduler.example.com:8786": f"tls://{address}",
        "8786": address.rpartition(":")[2],
        "/tmp": str(tmp_path_factory.mktemp("local")),
    }
    with ExitStack() as stack:
        for unit, until in (("scheduler", "Scheduler at:"), ("worker", "Starting established connection")):
            _, *arguments = command_of(unit)
            started([sys.executable, "-m", "dask", *(here.get(a, a) for a in arguments)], environment, until, stack)
        yield address


def look(address: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    with recorded_cloud() as cloud:
        nodes = [
            {"name": n.name, "address": n.address, "port": n.port, "user": n.user, "key": n.key, "site": "paris"}
            for n in cloud.nodes
        ]
        (folder / "cloud.yaml").write_text(json.dumps({"known_hosts": cloud.known_hosts, "nodes": nodes}))
        command = [sys.executable, "-m", "stackdoctor", "diagnose", "-i", "cloud.yaml", "-q", "--format", "json"]
        return subprocess.run(
            [*command, "--executor", f"dask+tls://{address}"],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, **environment},
            timeout=120,
            check=False,
        )


def test_a_look_through_it_comes_to_the_verdict(scheduler: str, certificates: Path, tmp_path: Path) -> None:
    done = look(scheduler, tmp_path, DASK_CONFIG=str(certificates / "dask.yaml"))
    assert [d["cause"] for d in json.loads(done.stdout)["diagnoses"]] == ["rpc-consumer-hung"], done.stderr


def test_who_has_no_certificate_of_its_authority_is_refused(scheduler: str, tmp_path: Path) -> None:
    subprocess.run([EXAMPLE / "certificates.sh", tmp_path], capture_output=True, check=True)
    (tmp_path / "dask.yaml").write_text((EXAMPLE / "dask.yaml").read_text().replace(THERE, str(tmp_path)))
    done = look(scheduler, tmp_path, DASK_CONFIG=str(tmp_path / "dask.yaml"))
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "no Dask scheduler answers" in done.stderr


def test_keys_are_their_owners_only(certificates: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in certificates.glob("*.key")} == {0o600}


def test_the_containers_run_what_the_units_run() -> None:
    services = yaml.safe_load((EXAMPLE / "compose.yaml").read_text())["services"]
    for name in ("scheduler", "worker"):
        unit = re.sub(r"/opt/\S+/|\.example\.com| --local-directory \S+", "", shlex.join(command_of(name)))
        assert shlex.join(services[name]["command"]) == unit
