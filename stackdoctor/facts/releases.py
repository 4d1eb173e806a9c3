"""Which release of each OpenStack project a node has, by the metadata that Python packages carry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.errors import CouldNotCheck
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["Release", "Releases"]

PROJECTS = (
    *("nova", "neutron", "cinder", "glance", "keystone", "heat", "openstack_placement", "oslo.messaging"),
    *("oslo_messaging", "os_brick"),
)
FOLDERS = ("/usr/lib/python*/dist-packages", "/usr/lib/python*/site-packages")
"""Debian's and Red Hat's; services in containers tell their version by their image."""
HEAD = 4096

_FIELD = re.compile(r"^(Name|Version): *(\S{1,100}) *$", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """One project: ``nova`` ``26.2.2``."""

    project: str
    version: str
    evidence: Evidence

    def __str__(self) -> str:
        return self.project


@dataclass(frozen=True)
class Releases:
    """The projects whose code is installed as packages of the host (PKG-INFO, METADATA: PEP 314, PEP 566)::

        Metadata-Version: 2.1
        Name: nova
        Version: 26.2.2

    Of each field the first counts: a description may come below.
    """

    rows: tuple[Release, ...]

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe(
            "releases",
            files=tuple(
                f"{folder}/{project}-{end}"
                for folder in FOLDERS
                for project in PROJECTS
                for end in ("[0-9]*.egg-info", "[0-9]*.egg-info/PKG-INFO", "[0-9]*.dist-info/METADATA")
            ),
            cap=HEAD,
            head=True,
        ),
    )

    def __iter__(self) -> Iterator[Release]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Releases:
        """The releases; raises NotApplicable where no project is installed so, CouldNotCheck."""
        rows = {}
        for result in results.usable(cls.probes[0]):
            fields = dict(reversed(_FIELD.findall(result.text)))
            if {"Name", "Version"} <= fields.keys():
                project = fields["Name"].lower().replace("_", ".").replace("-", ".")
                rows[project] = Release(
                    project, fields["Version"], results.evidence(result, f"Version: {fields['Version']}")
                )
        if not rows:
            raise CouldNotCheck("no metadata of a Python package has a name and a version")
        return cls(tuple(rows[project] for project in sorted(rows)))
