"""What globs find, with one look at each folder: most of what is asked for is of programs that a node has not."""

import errno
import os
import stat
from functools import lru_cache
from typing import List, Sequence, Tuple

ABSENT, CLOSED, THERE = "absent", "closed", "there"


@lru_cache(maxsize=None)
def found_by(pattern: str) -> Tuple[str, ...]:
    """The paths that it fits, in order; as glob.glob has it, with ``**`` for any number of folders."""
    if "**" in pattern:
        import glob

        return tuple(sorted(glob.glob(pattern, recursive=True)))
    above, name = os.path.split(pattern)
    folders = found_by(above) if special(above) else (above,)
    if special(name):
        return tuple(sorted(os.path.join(f, each) for f in folders for each in fitting(names_in(f), name)))
    paths = [os.path.join(f, name) for f in folders if state(f) == THERE]
    return tuple(path for path in paths if os.path.lexists(path))


def special(path: str) -> bool:
    """Whether it is a glob and no path."""
    return "*" in path or "?" in path or "[" in path


def closed(pattern: str) -> bool:
    """Whether the folder of ``pattern`` may not be searched, so that nobody knows what is in it."""
    folder = state(os.path.dirname(pattern))
    if folder != THERE:
        return folder == CLOSED
    try:
        os.stat(pattern)
    except OSError as error:
        return error.errno in (errno.EACCES, errno.EPERM)
    return False


@lru_cache(maxsize=None)
def state(folder: str) -> str:
    """Whether it is there, by the one above it first: many a folder is below one that is not."""
    above = os.path.dirname(folder)
    if above not in ("", folder) and state(above) != THERE:
        return state(above)
    try:
        return THERE if stat.S_ISDIR(os.stat(folder or ".").st_mode) else ABSENT
    except OSError as error:
        return CLOSED if error.errno in (errno.EACCES, errno.EPERM) else ABSENT


@lru_cache(maxsize=None)
def names_in(folder: str) -> Tuple[str, ...]:
    """What is in a folder; nothing where it may not be listed."""
    try:
        return tuple(os.listdir(folder or ".")) if state(folder) == THERE else ()
    except OSError:
        return ()


def fitting(names: Sequence[str], pattern: str) -> List[str]:
    """Those that fnmatch.fnmatchcase lets through, which compiles each pattern: here what else cannot tell."""
    certain = pattern[: min(at for at in map(pattern.find, "*?[") if at >= 0)]
    before, _, after = pattern.partition("*")
    may = [name for name in names if name.startswith(certain) and (certain or name[:1] != ".")]
    if before == certain and not special(after):
        shortest = len(before) + len(after)
        return [name for name in may if name.endswith(after) and len(name) >= shortest]
    if not may:
        return []
    import fnmatch

    return [name for name in may if fnmatch.fnmatchcase(name, pattern)]
