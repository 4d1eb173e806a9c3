"""The folders that images are kept in."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.glance_config import GlanceStores
from stackdoctor.facts.host import Disks
from stackdoctor.facts.processes import Processes

FULL = 99
LEAST_FREE = 64 * 1024 * 1024
SYSTEM = ("/", "/var", "/var/lib", "/var/log", "/tmp", "/var/lib/docker")


@check("glance.store.full", severity=Severity.ERROR)
def store_full(stores: GlanceStores, disks: Disks, processes: Processes) -> Iterator[Finding]:
    """The file system of a file store of Glance has no space left: no image and no snapshot can be stored.

    It is looked at where glance-api runs; ``own`` says whether the file system is there for images only.
    """
    if not any(not p.zombie for p in processes.of("glance-api")):
        return
    seen = set()
    for store in stores:
        disk = disks.of(store.folder)
        if disk is None or not disk.fills or disk.mount in seen or (disk.percent or 0) < FULL:
            continue
        if disk.available < LEAST_FREE or disk.percent == 100:
            seen.add(disk.mount)
            yield Finding(
                store,
                f"{disk.mount}, which the images in {store.folder} lie on, is full:"
                f" {disk.available // 1048576} MiB free",
                evidence=(disk.evidence, store.evidence),
                host=disk.evidence.node,
                mount=disk.mount,
                store=store.name,
                own="no" if disk.mount in SYSTEM else "yes",
            )
