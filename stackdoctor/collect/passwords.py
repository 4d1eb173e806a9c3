"""Passwords for nodes that take no keys: asked for on the terminal, held in this process's memory and nowhere else."""

from __future__ import annotations

import getpass
import warnings
from typing import NoReturn

from stackdoctor.errors import UsageError

__all__ = ["KEYRING", "Passwords"]

KEYRING = "stackdoctor"
"""The service under which `keyring set stackdoctor USER` keeps a password."""

_NO_TERMINAL = (
    "--ask-password needs a terminal to ask on; elsewhere keep the password in a keyring, with the package keyring"
    " (pip install 'stackdoctor[keyring]'): `keyring set {service} {user}`"
)


class Passwords:
    """One password for each user, the same on every node; asked for once, the first time that it is wanted."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}

    def of(self, user: str) -> str:
        """The password of ``user``, from the keyring or else from the terminal.  Raises UsageError without either."""
        if user not in self._held:
            self._held[user] = _from_keyring(user) or _from_terminal(user)
        return self._held[user]

    def __reduce__(self) -> NoReturn:
        raise TypeError("passwords are not handed to another process")


def _from_keyring(user: str) -> str:
    """What the desktop's keyring has; empty where there is none, where it is locked, and where it has nothing."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return ""
    try:
        return keyring.get_password(KEYRING, user) or ""
    except (KeyringError, RuntimeError):
        return ""


def _from_terminal(user: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would read on, and show what is typed
        try:
            password = getpass.getpass(f"Password of {user} on the nodes: ")
        except (getpass.GetPassWarning, EOFError, OSError):
            raise UsageError(_NO_TERMINAL.format(service=KEYRING, user=user)) from None
    if not password:
        raise UsageError(f"no password was given for {user}: leave out --ask-password where keys log in")
    return password
