"""Which instance an operator means: by its id, its name, or a part of the id."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError, UsageError
from stackdoctor.facts.fact import Fact
from stackdoctor.facts.libvirt import Domain, Domains
from stackdoctor.model import NodeResults

__all__ = ["instance_named", "looks_like_request"]

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Look = Callable[[Sequence[type[Fact]]], Sequence[NodeResults]]


def looks_like_request(what: str) -> bool:
    """Whether ``what`` is written as request ids are."""
    return what.strip().startswith("req-")


def instance_named(what: str, look: Look) -> tuple[str, str, tuple[tuple[str, Domain], ...]]:
    """Its id, its name where a node knows it, and the domains that nodes have of it.

    ``what`` is the id (which need not have a domain anywhere: its boot may have failed before), the name in
    Nova or in libvirt, or the beginning of the id of a domain.  Raises UsageError, with near names, where no
    node knows it, or where several are called so.
    """
    known = tuple(_domains(look((Domains,))))
    wanted = what.strip()
    fitting = [
        (node, domain)
        for node, domain in known
        if wanted in (domain.uuid, domain.nova_name, domain.name)
        or (len(wanted) >= 4 and domain.uuid.startswith(wanted.lower()))
    ]
    ids = sorted({domain.uuid for _, domain in fitting})
    if len(ids) > 1:
        raise UsageError(f"{len(ids)} instances are called {wanted}: name one by its id ({', '.join(ids[:5])})")
    if ids:
        name = next((domain.nova_name for _, domain in fitting if domain.nova_name), "")
        return ids[0], name, tuple(fitting)
    if _UUID.fullmatch(wanted):
        return wanted, "", ()
    names = [name for _, domain in known for name in (domain.nova_name, domain.name) if name]
    near = difflib.get_close_matches(wanted, names, 3)
    hint = f" Did you mean {' or '.join(near)}?" if near else " An instance without a domain is known by its id only."
    raise UsageError(f"no node that was looked at has an instance {wanted!r}.{hint}")


def _domains(nodes: Sequence[NodeResults]) -> list[tuple[str, Domain]]:
    found = []
    for node in nodes:
        try:
            found += [(node.node.name, domain) for domain in Domains.parse(node).domains]
        except (CouldNotCheck, NotApplicable, ParseError):
            continue
    return found
