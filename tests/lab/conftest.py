"""The lab as fixtures of the test run: a cloud, and hosts on which nothing runs but what a story puts there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The lab's modules import each other as ``lab.cloud``; they are no tests, and the services need not even be importable.
sys.path.insert(0, str(Path(__file__).parent.parent))
collect_ignore = ["services", "bring_up.py", "broker.py", "cloud.py", "hosts.py", "iscsi_storage.py", "nova.py"]
collect_ignore_glob = ["active_*.py", "captures.py", "open_vswitch.py", "tenant_*.py"]

from lab import hosts, tenant_network  # noqa: E402
from lab.bring_up import cloud_up  # noqa: E402
from lab.cloud import Cloud  # noqa: E402
from lab.filter_namespaces import Lab, filter_up  # noqa: E402


@pytest.fixture(scope="session")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The lab, or a skip that says what this machine lacks for it."""
    lacking = hosts.missing()
    if lacking:
        pytest.skip(f"tests/lab needs root, network namespaces, sshd and RabbitMQ: missing here: {', '.join(lacking)}")
    with cloud_up(tmp_path_factory.mktemp("lab")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def bare_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The lab's hosts without broker and services, for stories of networks and disks."""
    lacking = hosts.missing()
    if lacking:
        pytest.skip(f"tests/lab needs root, network namespaces and sshd: missing here: {', '.join(lacking)}")
    with cloud_up(tmp_path_factory.mktemp("bare"), {}) as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud) -> Cloud:
    """The lab, healthy, with the logs counted from now."""
    running_cloud.wait_until_healthy()
    running_cloud.wait_until_quiet()
    running_cloud.mark()
    return running_cloud


@pytest.fixture(scope="module")
def tenant_cloud(bare_cloud: Cloud) -> Iterator[Cloud]:
    """The lab's hosts with the tenant network on them, for the tests of one module."""
    lacking = tenant_network.missing()
    if lacking:
        pytest.skip(f"tests/lab needs {'; '.join(lacking)}")
    with tenant_network.tenant_network_up(bare_cloud):
        yield bare_cloud


@pytest.fixture
def network(tenant_cloud: Cloud) -> Cloud:
    """The hosts with their tenant network, with the logs counted from now."""
    tenant_cloud.mark()
    return tenant_cloud


@pytest.fixture(scope="module", params=["nft", "legacy"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A real packet filter of each back end."""
    with filter_up(request.param) as made:
        yield made
