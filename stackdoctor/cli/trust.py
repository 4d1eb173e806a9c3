"""Whether a file is the user's alone: what others can write may not decide what is run, or whom we log in to."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

__all__ = ["distrusted"]


def distrusted(file: Path) -> str:
    """Why somebody else could have written ``file``; empty where nobody but the user and root could.

    The folders above count as well: who can write one can put another file in its place, or beside it.  So does a
    link on the way.
    """
    own = file.absolute()
    for end in dict.fromkeys((own, own.resolve())):
        for path in (end, *end.parents):
            try:
                found = os.lstat(path)
            except OSError as error:
                return f"{path} cannot be looked at ({error.strerror})"
            # in a sticky folder, as /tmp is, nobody can replace what is somebody else's; but put something beside it
            if path not in (end, end.parent) and found.st_mode & stat.S_ISVTX:
                continue
            if why := _others(path, found):
                return why
    return ""


def _others(path: Path, found: os.stat_result) -> str:
    if found.st_uid not in (0, os.geteuid()):
        return f"{path} belongs to {_user(found.st_uid)}"
    if stat.S_ISLNK(found.st_mode):
        return ""
    if found.st_mode & stat.S_IWOTH:
        return f"everybody can write {path}"
    if found.st_mode & stat.S_IWGRP and not _private(found):
        return f"the group {_group(found.st_gid)} can write {path}"
    return ""


def _private(found: os.stat_result) -> bool:
    """Whether the group is the owner's alone, as distributions make one for each user (and as ssh takes it there)."""
    try:
        group, owner = grp.getgrgid(found.st_gid), pwd.getpwuid(found.st_uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _user(number: int) -> str:
    try:
        return f"{pwd.getpwuid(number).pw_name} (uid {number})"
    except KeyError:
        return f"uid {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
