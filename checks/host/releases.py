"""Releases of one project that differ between nodes."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.releases import Release, Releases


@check("host.release.differs", severity=Severity.INFO)
def mixed_releases(cloud: Cloud[Releases]) -> Iterator[Finding]:
    """Nodes have different releases of one OpenStack project: an upgrade is under way, or a node was left out of one.

    Services of neighbouring releases understand each other while upgrade_levels is set or automatic; of others not.
    """
    found: dict[str, dict[str, list[tuple[str, Release]]]] = {}
    for node, releases in cloud:
        for release in releases:
            found.setdefault(release.project, {}).setdefault(release.version, []).append((node, release))
    for project, versions in sorted(found.items()):
        if len(versions) < 2:
            continue
        usual = max(versions, key=lambda version: (len(versions[version]), version))
        for version, those in versions.items():
            for node, release in those if version != usual else ():
                yield Finding(
                    release,
                    f"{node} has {project} {version}, and {len(versions[usual])} other nodes {usual}",
                    node=node,
                    host=node,
                    project=project,
                    version=version,
                )
