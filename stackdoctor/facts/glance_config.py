"""Where Glance keeps the images: the folders of its file stores (glance_store/_drivers/filesystem.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.facts.oslo_config import Options, read_options
from stackdoctor.model import Evidence, NodeResults, Probe

__all__ = ["GlanceStores", "Store"]

DEFAULT_FOLDER = "/var/lib/glance/images"
KOLLA_FOLDER = "/var/lib/docker/volumes/glance/_data/images"

CONFIG = Probe(
    "glance.config",
    files=(
        "/etc/glance/glance-api.conf",
        "/var/lib/config-data/puppet-generated/glance_api/etc/glance/glance-api.conf",
        "/etc/kolla/glance-api/glance-api.conf",
    ),
    root=True,
    settings=True,
    cap=2 * 1024 * 1024,
)


@dataclass(frozen=True)
class Store:
    """One folder of a file store; ``name`` is the back end's where several are enabled (since Rocky), else file."""

    name: str
    folder: str
    evidence: Evidence

    def __str__(self) -> str:
        return self.folder


@dataclass(frozen=True)
class GlanceStores:
    """The file stores of this node's Glance; none where images are kept in Ceph, Swift or Cinder."""

    rows: tuple[Store, ...]
    evidence: Evidence

    probes: ClassVar[tuple[Probe, ...]] = (CONFIG,)

    def __iter__(self) -> Iterator[Store]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> GlanceStores:
        """The stores; raises NotApplicable on a node without Glance, CouldNotCheck."""
        options = read_options(results, CONFIG)
        return cls(tuple(_stores(options)), options.evidence)


def _stores(options: Options) -> Iterator[Store]:
    backends = options.get("DEFAULT", "enabled_backends")
    if backends:
        for word in backends.split(","):
            name, _, kind = word.strip().partition(":")
            if kind == "file":
                yield from _folders(options, name, name)
        return
    section = "glance_store"
    default = options.get(section, "default_store") or options.get("DEFAULT", "default_store", default="file")
    if default in ("file", "filesystem"):
        yield from _folders(options, section, "file")


def _folders(options: Options, section: str, name: str) -> Iterator[Store]:
    several = options.option(section, "filesystem_store_datadirs")
    if several is not None:
        for value in several.values:
            yield Store(name, _on_host(value.partition(":")[0], options), options.shown(section, several.name))
        return
    single = options.option(section, "filesystem_store_datadir") or options.option(
        "DEFAULT", "filesystem_store_datadir"
    )
    folder = DEFAULT_FOLDER if single is None else single.value
    shown = options.evidence if single is None or single.evidence is None else single.evidence
    yield Store(name, _on_host(folder, options), shown)


def _on_host(folder: str, options: Options) -> str:
    """The folder as the host has it: Kolla keeps the container's /var/lib/glance in a volume."""
    folder = folder.rstrip("/") or "/"
    if options.evidence.source.startswith("/etc/kolla/") and folder == DEFAULT_FOLDER:
        return KOLLA_FOLDER
    return folder
