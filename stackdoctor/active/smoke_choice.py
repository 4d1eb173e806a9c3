"""What a smoke check launches: image, flavor and networks, chosen or named, before anything is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stackdoctor.active.smoke_api import Api, CouldNotRun
from stackdoctor.errors import UsageError

__all__ = ["CIDR", "Choice", "Wanted", "choose"]

CIDR = "10.199.87.0/24"
"""Of the check's own network, which is routed nowhere but with --external."""
VOLUME_GIB = 1


@dataclass(frozen=True)
class Choice:
    """Something that is there already."""

    id: str
    name: str

    def __str__(self) -> str:
        return self.name or self.id


@dataclass(frozen=True)
class Wanted:
    """What is launched.  ``prefix`` begins every name and is every tag; ``network`` None: one of its own."""

    prefix: str
    image: Choice
    flavor: Choice
    network: Choice | None
    external: Choice | None
    volume: bool
    port_security: bool = True


def choose(api: Api, prefix: str, image: str, flavor: str, network: str, external: str, volume: bool) -> Wanted:
    """The named ones, or (empty) the smallest image that is active and the smallest flavor that it fits in.

    Raises UsageError where what is named is not there, CouldNotRun where there is nothing to choose from.
    """
    cloud = api.connection
    picture = _named("image", image, cloud.image.find_image(image)) if image else _smallest_image(cloud)
    size = _named("flavor", flavor, cloud.compute.find_flavor(flavor)) if flavor else _smallest_flavor(cloud, picture)
    inner = _named("network", network, cloud.network.find_network(network)) if network else None
    outer = _named("network", external, cloud.network.find_network(external)) if external else None
    if outer is not None and not outer.is_router_external:
        raise UsageError(f"--external {external}: that network is not external (router:external is false)")
    if volume and not api.has_cinder:
        raise CouldNotRun("this cloud's catalog has no volume service: use --no-volume")
    return Wanted(
        prefix=prefix,
        image=Choice(picture.id, picture.name or ""),
        flavor=Choice(size.id, size.name or ""),
        network=None if inner is None else Choice(inner.id, inner.name or ""),
        external=None if outer is None else Choice(outer.id, outer.name or ""),
        volume=volume,
        port_security=inner is None or inner.is_port_security_enabled is not False,
    )


def _named(kind: str, name: str, found: Any) -> Any:
    if found is None:
        raise UsageError(f"there is no {kind} {name!r} for this project")
    return found


def _smallest_image(cloud: Any) -> Any:
    images = [
        image
        for image in cloud.image.images(status="active")
        # kernels and ramdisks of other images do not boot
        if image.disk_format not in ("aki", "ari", "iso") and image.status == "active" and not image.is_hidden
    ]
    if not images:
        raise CouldNotRun("no image is active that a server can boot from: upload one, or name it with --image")
    return min(images, key=lambda image: (image.size or 0, image.name or ""))


def _smallest_flavor(cloud: Any, image: Any) -> Any:
    flavors = [
        flavor
        for flavor in cloud.compute.flavors()
        if flavor.ram >= (image.min_ram or 0) and (not flavor.disk or flavor.disk >= (image.min_disk or 0))
    ]
    if not flavors:
        raise CouldNotRun(f"no flavor is large enough for image {image.name}: name one with --flavor")
    # a flavor without a disk may be forbidden to all but admins (zero_disk_flavor), so it is the last choice
    return min(flavors, key=lambda flavor: (not flavor.disk, flavor.ram, flavor.vcpus, flavor.disk))
