"""Routers that Neutron is changing while they are looked at: what they lack may be on its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.namespaces import Namespace, Namespaces
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_network import Routers

SETTLED = 120.0
KINDS = ("qrouter", "snat")


def settled(namespaces: Namespaces, routers: Cloud[Routers] | None) -> Namespaces:
    """``namespaces`` without those of routers that were changed a moment ago, or are deleted and not yet gone."""
    moving = {namespace.name for namespace, _ in _moving(namespaces, routers)}
    return replace(namespaces, namespaces=tuple(n for n in namespaces.namespaces if n.name not in moving))


def _moving(namespaces: Namespaces, routers: Cloud[Routers] | None) -> Iterator[tuple[Namespace, str]]:
    known = chosen(routers)
    ages = {router.id: router.age for router in known or ()}
    for namespace in namespaces.namespaces:
        if known is None or namespace.kind not in KINDS:
            continue
        if namespace.object_id not in ages:
            if known.complete:
                yield namespace, "Neutron does not have it any more"
        elif 0.0 < ages[namespace.object_id] < SETTLED:
            yield namespace, f"Neutron has changed it {ages[namespace.object_id]:.0f} s before"


@check("api.router.in-motion", severity=Severity.INFO)
def router_in_motion(namespaces: Cloud[Namespaces], routers: Cloud[Routers]) -> Iterator[Finding]:
    """A router is being changed or removed at this moment, so that its namespace is not judged yet: look again."""
    for node, found in namespaces:
        for namespace, why in _moving(found, routers):
            yield Finding(
                namespace,
                f"{namespace} on {node} is not judged: {why}",
                node=node,
                host=node,
                namespace=namespace.name,
                router=namespace.object_id,
            )
