"""Connections that nobody answers, whatever is to be reached by them."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding
from stackdoctor.facts.sockets import Sockets

__all__ = ["no_answer"]


def no_answer(sockets: Sockets, port: int, what: str) -> Iterator[Finding]:
    """One finding for every server whose ``port`` does not answer those who connect or send to it."""
    for (server, _), found in sockets.unanswered(port).items():
        programs = ", ".join(sorted({s.program for s in found if s.program})) or "a service"
        yield Finding(
            f"{server}:{port}",
            f"{len(found)} connections to {what} {server}:{port} get no answer ({programs})",
            evidence=found[0].evidence,
            count=len(found),
            host=found[0].evidence.node,
            target_host=server,
            port=port,
        )
