"""RPC calls in a capture: requests matched with their replies, by queue and method, with how long they took."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from stackdoctor.active.dissect import RpcMessage

__all__ = ["Call", "CallKind", "by_kind", "calls_of"]


@dataclass(frozen=True)
class Call:
    """One RPC call: when it was published and handed to a server, and when its reply was published and handed over.

    A time that the capture does not have is None: where it was made decides which half of the ways it sees.
    """

    message_id: str
    queue: str
    method: str
    client: str
    published: float | None
    taken: float | None
    answered: float | None
    failed: bool
    returned: bool

    @property
    def begun(self) -> float | None:
        """The first time that anything was seen of the request."""
        return self.published if self.published is not None else self.taken

    @property
    def seconds(self) -> float | None:
        """From the request to the reply; None without one."""
        return None if self.answered is None or self.begun is None else self.answered - self.begun


@dataclass(frozen=True)
class CallKind:
    """All calls of one method to one queue.  ``median`` and ``longest`` are seconds, None without an answered call."""

    queue: str
    method: str
    calls: tuple[Call, ...]

    @property
    def unanswered(self) -> tuple[Call, ...]:
        """Calls without a reply until the end of the capture."""
        return tuple(call for call in self.calls if call.answered is None)

    @property
    def median(self) -> float | None:
        """The middle one of the times until the reply."""
        return statistics.median(taken) if (taken := self._seconds) else None

    @property
    def longest(self) -> float | None:
        """The longest time until a reply."""
        return max(self._seconds, default=None)

    @property
    def _seconds(self) -> list[float]:
        return [call.seconds for call in self.calls if call.seconds is not None]


def calls_of(messages: Sequence[RpcMessage]) -> tuple[Call, ...]:
    """The calls in order; casts, fanouts and notifications have no reply and are left out.

    A reply whose request was sent before the capture began is left out too.
    """
    requests: dict[str, dict[str, RpcMessage]] = {}
    replies: dict[str, RpcMessage] = {}
    for message in messages:
        if message.message_id and message.reply_to:
            requests.setdefault(message.message_id, {}).setdefault(message.way, message)
        elif message.message_id:
            replies.setdefault(message.message_id, message)
    return tuple(_call(id_, ways, replies.get(id_)) for id_, ways in requests.items())


def _call(id_: str, ways: dict[str, RpcMessage], reply: RpcMessage | None) -> Call:
    first = min(ways.values(), key=lambda message: message.time)
    published, taken = ways.get("publish"), ways.get("deliver")
    return Call(
        message_id=id_,
        queue=first.routing_key,
        method=first.method,
        client=published.client if published else "",
        published=published.time if published else None,
        taken=taken.time if taken else None,
        answered=reply.time if reply else None,
        failed=reply.failed if reply else False,
        returned="return" in ways,
    )


def by_kind(calls: Sequence[Call]) -> tuple[CallKind, ...]:
    """``calls`` by queue and method: those with most calls without a reply first, then the slowest."""
    groups: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        groups.setdefault((call.queue, call.method), []).append(call)
    kinds = [CallKind(queue, method, tuple(same)) for (queue, method), same in groups.items()]
    return tuple(sorted(kinds, key=lambda kind: (-len(kind.unanswered), -(kind.longest or 0.0))))
