"""Which nodes a run looks at: lists on standard input, the cloud's own lists, a choice of them."""

from __future__ import annotations

import importlib.util
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.demo.server import DemoCloud

Run = Callable[..., subprocess.CompletedProcess[str]]

_SPEC = importlib.util.spec_from_file_location("api_cloud", Path(__file__).parent.parent / "collect" / "api_cloud.py")
assert _SPEC is not None
assert _SPEC.loader is not None
api_cloud = importlib.util.module_from_spec(_SPEC)
sys.modules.setdefault("api_cloud", api_cloud)
_SPEC.loader.exec_module(api_cloud)


def planned(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`plan` with ``text`` on its standard input."""
    asked = [sys.executable, "-m", "stackdoctor", "--config", os.devnull, "plan", *arguments]
    return subprocess.run(asked, input=text, capture_output=True, text=True, timeout=300, check=False)


def nodes_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [line.partition(":")[0] for line in done.stdout.split("\n\n")[0].splitlines()]


@pytest.fixture
def apis(tmp_path: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """A cloud's APIs, and the environment that says how to log in."""
    pytest.importorskip("openstack")
    with api_cloud.served() as fake:
        yield (
            fake,
            {
                "OS_CLIENT_CONFIG_FILE": str(tmp_path / "none.yaml"),
                "OS_AUTH_URL": fake.url,
                "OS_USERNAME": "admin",
                "OS_PASSWORD": api_cloud.PASSWORD,
                "OS_PROJECT_NAME": "admin",
                "OS_USER_DOMAIN_NAME": "Default",
                "OS_PROJECT_DOMAIN_NAME": "Default",
            },
        )


def test_a_list_on_standard_input_is_taken_as_operators_write_it() -> None:
    text = "# ours\ncontroller\ncompute1 compute2, root@192.0.2.7:2222\n\ncompute1\nstorage@lvm#pool  # twice\n"
    assert nodes_of(planned(text, "--nodes", "-")) == ["controller", "compute1", "compute2", "192.0.2.7", "storage"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ("# only this\n", "is empty"), ("a b:x", "port 'x'"), ("a" * (2 << 20), "longer than 1 MiB")],
)
def test_a_list_that_is_none_is_refused(text: str, said: str) -> None:
    done = planned(text, "--nodes", "-")
    assert done.returncode == 2
    assert said in done.stderr


def test_a_terminal_gives_no_list() -> None:
    ours, theirs = pty.openpty()
    try:
        asked = [sys.executable, "-m", "stackdoctor", "plan", "--nodes", "-"]
        done = subprocess.run(asked, stdin=theirs, capture_output=True, text=True, timeout=300, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert "reads the nodes from standard input" in done.stderr


def test_only_those_are_left_whose_name_or_role_fits(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("[control]\nc[1:2]\n[compute]\nn[1:3]\n")
    asked = ("--inventory", str(hosts), "--only")
    assert nodes_of(planned("", *asked, "controller")) == ["c1", "c2"]
    assert nodes_of(planned("", *asked, "c1", "--only", "n[23]")) == ["c1", "n2", "n3"]
    done = planned("", *asked, "x*")
    assert done.returncode == 2
    assert "the nodes are c1, c2, n1, n2, n3" in done.stderr


def test_the_login_is_for_nodes_that_name_no_user() -> None:
    done = planned("", "--nodes", "a,root@b", "--login", "op")
    assert done.stdout.startswith("a: ssh op@a\nb: ssh root@b\n")


def test_what_an_inventory_says_and_is_not_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[control]\nc1 ansible_password=x\n")
    done = planned("", "--inventory", str(tmp_path / "hosts"))
    assert "the passwords of 1 hosts (c1) are not used" in done.stderr


def test_the_cloud_s_own_lists_name_the_nodes(run: Run, apis: tuple[Any, dict[str, str]]) -> None:
    fake, environment = apis
    rows = [{"binary": "cinder-volume", "host": f"storage@{b}", "state": "up", "status": "enabled"} for b in "ab"]
    fake.say("/volume/v3/p1/os-services", {"services": rows})
    done = run("plan", "--from-cloud", **environment)
    assert nodes_of(done) == ["compute1", "compute2", "controller", "storage"]
    done = run("plan", "--from-cloud", "--nodes", "root@controller:2222", "--only", "controller", **environment)
    assert nodes_of(done) == ["controller"]
    assert "ssh root@controller port 2222" in done.stdout
    assert {method for method, _, _ in fake.asked} == {"GET", "POST"}


def test_a_host_that_does_not_resolve_is_its_own_failure(
    run: Run, apis: tuple[Any, dict[str, str]], cloud: DemoCloud, tmp_path: Path
) -> None:
    fake, environment = apis
    (node, *_) = cloud.nodes
    fake.say("/network/v2.0/agents", {"agents": []})
    fake.say("/volume/v3/p1/os-services", {"services": []})
    rows = [
        {"id": "1", "binary": "nova-compute", "host": host, "state": "up", "status": "enabled"}
        for host in (node.name, "no-such-host.invalid")
    ]
    fake.say("/compute/v2.1/os-services", {"services": rows})
    inventory = tmp_path / "cloud.yaml"
    inventory.write_text(
        json.dumps(
            {
                "known_hosts": cloud.known_hosts,
                "nodes": [
                    {"name": n.name, "address": n.address, "port": n.port, "user": n.user, "key": n.key}
                    for n in (node,)
                ],
            }
        )
    )
    done = run(
        *("diagnose", "--from-cloud", "-i", "cloud.yaml", "--check", "host.*", "--format", "json", "-q"), **environment
    )
    nodes = {n["name"]: n for n in json.loads(done.stdout)["nodes"]}
    assert "cannot resolve" in json.dumps(nodes["no-such-host.invalid"])
    assert not nodes[node.name].get("failure")


def test_without_credentials_the_way_to_give_them_is_said(run: Run) -> None:
    done = run("plan", "--from-cloud", OS_AUTH_URL="", OS_CLOUD="")
    assert done.returncode == 3
    assert "--os-cloud NAME" in done.stderr


def test_apis_that_do_not_answer_are_said(run: Run, apis: tuple[Any, dict[str, str]]) -> None:
    done = run("plan", "--from-cloud", **{**apis[1], "OS_PASSWORD": "wrong"})
    assert done.returncode == 3
    assert "the list of compute services could not be read" in done.stderr
