"""Releases by the metadata of Python packages, on Debian (PKG-INFO) and on Red Hat (METADATA)."""

from __future__ import annotations

import pytest

from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.diagnose.runner import examine
from stackdoctor.errors import CouldNotCheck, NotApplicable
from stackdoctor.facts.releases import Releases
from stackdoctor.model import Clock, Node, NodeResults, Result, Status

NOVA = "/usr/lib/python3/dist-packages/nova-{}.egg-info/PKG-INFO"
PKG_INFO = "Metadata-Version: 2.1\nName: {}\nVersion: {}\nSummary: Cloud computing fabric controller\n"


def node(name: str, *files: tuple[str, str]) -> NodeResults:
    results = {("releases", path): Result("releases", path, path, exit=0, stdout=text.encode()) for path, text in files}
    return NodeResults(Node(name), results, Clock(1.0, error=0.1))


def test_names_are_the_same_however_a_package_writes_them() -> None:
    found = Releases.parse(
        node(
            "a",
            (NOVA.format("26.2.2"), PKG_INFO.format("nova", "26.2.2")),
            (
                "/x/oslo_messaging-14.0.3.dist-info/METADATA",
                PKG_INFO.format("oslo.messaging", "14.0.3") + "\nVersion: 9\n",
            ),
            ("/x/openstack_placement-8.0.0.egg-info/PKG-INFO", PKG_INFO.format("openstack-placement", "8.0.0")),
        )
    )
    assert {(r.project, r.version) for r in found} == {
        ("nova", "26.2.2"),
        ("oslo.messaging", "14.0.3"),
        ("openstack.placement", "8.0.0"),
    }


def test_a_node_without_packages_has_none_and_garbage_is_not_guessed() -> None:
    missing = Result("releases", "x", status=Status.MISSING, reason="there is no such file")
    with pytest.raises(NotApplicable):
        Releases.parse(NodeResults(Node("a"), {("releases", ""): missing}, Clock(1.0)))
    with pytest.raises(CouldNotCheck):
        Releases.parse(node("a", ("/x", "\x00\xff garbage")))


def test_the_node_that_an_upgrade_left_out_is_named() -> None:
    knowledge = load_knowledge()
    old, new = (node_text("25.1.0"), node_text("26.2.2"))
    examination = examine([node("a", new), node("b", new), node("c", old)], knowledge.checks)
    (found,) = [f for f in examination.findings if f.id == "host.release.differs"]
    assert (found.node, found.keys["version"], str(found.severity)) == ("c", "25.1.0", "info")
    examination = examine([node("a", new), node("b", new)], knowledge.checks)
    assert not [f for f in examination.findings if f.id == "host.release.differs"]


def node_text(version: str) -> tuple[str, str]:
    return NOVA.format(version), PKG_INFO.format("nova", version)
