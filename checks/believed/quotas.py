"""What projects may have, what is on their account, and what of it exists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.openstack_answers import chosen
from stackdoctor.facts.openstack_quotas import Quotas
from stackdoctor.facts.openstack_servers import Servers
from stackdoctor.facts.openstack_volumes import Volumes

SETTLED = 120.0
CHANGING = ("creating", "deleting", "extending", "downloading", "uploading")


@check("api.quota.full", severity=Severity.INFO)
def quota_full(quotas: Cloud[Quotas]) -> Iterator[Finding]:
    """A project has used up one of its quotas: the next request for more is refused with 403 or 413 (409 by Neutron).

    That is what a quota is for, and no fault by itself.  ``over`` says that it has more than it may: the quota was
    lowered.
    """
    for quota in chosen(quotas) or ():
        if quota.full:
            over = quota.used > quota.limit
            yield Finding(
                quota,
                f"the {quota} is {'exceeded' if over else 'used up'} ({quota.used} of {quota.limit})",
                node=quota.evidence.node,
                project=quota.project,
                service=quota.service,
                resource=quota.resource,
                over="yes" if over else "no",
            )


@check("api.quota.drift", severity=Severity.INFO)
def quota_drift(
    quotas: Cloud[Quotas], servers: Cloud[Servers] | None, volumes: Cloud[Volumes] | None
) -> Iterator[Finding]:
    """A project's account says that it has more, or less, than there is: Cinder and Nova before Pike add and subtract.

    What a request that died on its way has added is never subtracted.  A warning where the account is full and
    what exists would leave room (``full``): the project is refused what it may have.
    """
    every = tuple(chosen(quotas) or ())
    snapshots = {quota.project for quota in every if quota.resource == "snapshots" and quota.used}
    counts = _instances(chosen(servers)) | _volumes(chosen(volumes), snapshots)
    for quota in every:
        count = counts.get(quota.resource)
        if count is None or quota.reserved or quota.project in count.changing:
            continue
        exists = count.there[quota.project]
        if abs(quota.used - exists) > count.unsure:
            blocked = quota.full and exists + count.unsure < quota.limit
            yield Finding(
                quota,
                f"the {quota} counts {quota.used}, and {exists} {'exist' if exists != 1 else 'exists'}"
                + (f": all {quota.limit} count as used" if blocked else ""),
                node=quota.evidence.node,
                severity=Severity.WARNING if blocked else None,
                project=quota.project,
                service=quota.service,
                resource=quota.resource,
                full="yes" if blocked else "no",
            )


@dataclass(frozen=True)
class _Count:
    """What there is by project; nothing is said of those in ``changing``, and up to ``unsure`` may have just gone."""

    there: Counter[str]
    changing: frozenset[str]
    unsure: int = 0


def _instances(servers: Servers | None) -> dict[str, _Count]:
    if servers is None or not servers.complete or servers.others is None:
        return {}
    changing = frozenset(server.project for server in servers if server.task or server.idle < SETTLED)
    gone = len(servers.others - servers.by_id.keys())
    return {"instances": _Count(Counter(server.project for server in servers), changing, gone)}


def _volumes(volumes: Volumes | None, snapshots: Set[str]) -> dict[str, _Count]:
    """Volumes, and their gigabytes where no snapshot is counted with them."""
    if volumes is None or not volumes.complete or any(not volume.project for volume in volumes):
        return {}
    own = [volume for volume in volumes if not volume.copying]
    changing = {volume.project for volume in volumes if volume.idle < SETTLED or volume.status in CHANGING}
    size: Counter[str] = Counter()
    for volume in own:
        size[volume.project] += volume.size
    return {
        "volumes": _Count(Counter(volume.project for volume in own), frozenset(changing)),
        "gigabytes": _Count(size, frozenset(changing | snapshots)),
    }
