"""Host ranges as Ansible writes them: ``compute[01:20]``, ``rack[a:c]-[1:9:2]``."""

from __future__ import annotations

import re
import string

from stackdoctor.errors import UsageError
from stackdoctor.inventory.nodelist import is_ip

__all__ = ["expanded", "hosts_and_port"]

_RANGE = re.compile(r"\[([^\[\]]*)\]")
_PORT = re.compile(r"(.*?):(\d{1,5})")
_MOST = 10_000


def hosts_and_port(pattern: str) -> tuple[tuple[str, ...], str]:
    """The hosts of ``pattern[:port]``, and the port as text: behind an IPv6 address only if that is in brackets.

    >>> hosts_and_port("compute[1:2]:2222"), hosts_and_port("[2001:db8::1]:22"), hosts_and_port("2001:db8::1")
    ((('compute1', 'compute2'), '2222'), (('2001:db8::1',), '22'), (('2001:db8::1',), ''))

    Raises UsageError as ``expanded`` does.
    """
    port = ""
    match = _PORT.fullmatch(pattern)
    if match and ":" not in _RANGE.sub("", match[1]):
        pattern, port = match[1], match[2]
    names = expanded(pattern)
    return tuple(name[1:-1] if name[:1] == "[" and name[-1:] == "]" else name for name in names), port


def expanded(pattern: str) -> tuple[str, ...]:
    """The names that ``pattern`` stands for, both ends of a range included; itself where there is no range.

    >>> expanded("compute[08:10]")
    ('compute08', 'compute09', 'compute10')
    >>> expanded("db-[a:c]"), expanded("[2001:db8::1]")
    (('db-a', 'db-b', 'db-c'), ('[2001:db8::1]',))

    Raises UsageError for a range that is none, or for more than 10,000 names.  The rules are those of
    ``expand_hostname_range`` in ansible/plugins/inventory/__init__.py.
    """
    names = [""]
    end = 0
    for match in _RANGE.finditer(pattern):
        before, end = pattern[end : match.start()], match.end()
        parts = (match[0],) if is_ip(match[1]) else _parts(pattern, match[1])
        if len(names) * len(parts) > _MOST:
            raise UsageError(f"{pattern!r} stands for more than {_MOST} hosts")
        names = [name + before + part for name in names for part in parts]
    rest = pattern[end:]
    if "[" in rest or "]" in rest:
        raise UsageError(f"{pattern!r} has a bracket that is not closed")
    return tuple(name + rest for name in names)


def _parts(pattern: str, inside: str) -> tuple[str, ...]:
    begin, colon, rest = inside.partition(":")
    last, _, step = rest.partition(":")
    if not colon or not last:
        raise UsageError(f"{pattern!r}: a range is [begin:end] or [begin:end:step], not [{inside}]")
    by = int(step) if step.isascii() and step.isdigit() and len(step) < 6 else 0 if step else 1
    if by < 1:
        raise UsageError(f"{pattern!r}: the step of [{inside}] is not a number above 0")
    letters = string.ascii_letters
    if len(begin) == len(last) == 1 and begin in letters and last in letters:
        if letters.index(begin) > letters.index(last):
            raise UsageError(f"{pattern!r}: the range [{inside}] ends before it begins")
        return tuple(letters[letters.index(begin) : letters.index(last) + 1 : by])
    begin = begin or "0"
    if not all(end.isascii() and end.isdigit() and len(end) < 10 for end in (begin, last)):
        raise UsageError(f"{pattern!r}: the ends of [{inside}] are neither numbers nor letters")
    width = len(begin) if begin[0] == "0" and len(begin) > 1 else 0
    if width and len(last) != width:
        raise UsageError(f"{pattern!r}: both ends of [{inside}] need the same number of digits")
    if int(begin) > int(last):
        raise UsageError(f"{pattern!r}: the range [{inside}] ends before it begins")
    if (int(last) - int(begin)) // by >= _MOST:
        raise UsageError(f"{pattern!r} stands for more than {_MOST} hosts")
    return tuple(str(number).zfill(width) for number in range(int(begin), int(last) + 1, by))
