"""Which service writes a log, by its path: the first source whose globs it matches, rotated or not."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache

from stackdoctor.collect.plan import LogSource

__all__ = ["current", "source_of"]

_ROTATED = re.compile(r"(?:(?<=.)[.-]\d+)*(?:\.(?:gz|xz|bz2))?$")


def current(path: str) -> str:
    """The name of a log before it was rotated.

    >>> current("/var/log/nova/nova-api.log.2.gz"), current("/var/log/messages-20240101")
    ('/var/log/nova/nova-api.log', '/var/log/messages')
    """
    return _ROTATED.sub("", path)


def source_of(path: str, sources: Iterable[LogSource]) -> LogSource | None:
    """The source that the log at ``path`` is of; where it names no service, the service is read off the name."""
    path = current(path)
    for source in sources:
        if any(path.startswith(_fixed(pattern)) and _glob(pattern).fullmatch(path) for pattern in source.files):
            if source.service:
                return source
            return LogSource(_by_name(path), source.format, source.files)
    return None


def _by_name(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".log").removeprefix("openstack-")


@lru_cache(4096)
def _fixed(pattern: str) -> str:
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


@lru_cache(4096)
def _glob(pattern: str) -> re.Pattern[str]:
    """As glob(3) does it: a star does not cross a slash."""
    return re.compile("/".join(fnmatch.translate(part)[4:-3] for part in pattern.split("/")).replace(".*", "[^/]*"))
