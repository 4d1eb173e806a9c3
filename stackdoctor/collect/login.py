"""Logging in with keys, from files and from the ssh agent, and with a password where one was asked for."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from stackdoctor.collect.dial import hang_up
from stackdoctor.collect.session import Ending, NodeLost, legible, said
from stackdoctor.inventory.sshconfig import Login

if TYPE_CHECKING:
    import paramiko

__all__ = ["log_in"]

_LOG = logging.getLogger(__name__)
_KEYS_FIRST = 3
"""How many keys are tried before a password: sshd hangs up after six attempts (MaxAuthTries)."""
_WAY = {"password", "keyboard-interactive"}
_ASK = ": --ask-password asks for one"


def log_in(transport: paramiko.Transport, login: Login, deadline: float, ending: Ending) -> None:
    """Try one key after the other, then the password, until ``deadline``.  Raises NodeLost with what was tried."""
    import paramiko

    tried: list[str] = []
    unusable: list[str] = []
    for label, key in _keys(login, unusable, deadline, ending):
        if login.password and len(tried) == _KEYS_FIRST:
            break
        tried.append(label)
        transport.auth_timeout = max(0.1, deadline - time.monotonic())
        try:
            further = transport.auth_publickey(login.user, key)
        except paramiko.BadAuthenticationType as error:
            if login.password:
                break
            methods = legible(", ".join(error.allowed_types)) or "nothing"
            ask = _ASK if _WAY & set(error.allowed_types) else ""
            raise NodeLost(f"{login} takes no keys from {login.user}, only {methods}{ask}") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            _LOG.debug("%s (%s) is refused: %s", label, key.get_name(), said(error))
            if transport.is_active():
                continue
            # paramiko keeps the words of the server's farewell to itself
            gone = isinstance(error, (paramiko.AuthenticationException, EOFError))
            unusable.append(f"then it broke the connection off: {'were those too many?' if gone else said(error)}")
            break
        _LOG.debug("%s (%s) logs %s in", label, key.get_name(), login.user)
        if further and login.password:
            _by_password(transport, login, further, deadline)
        elif further:
            ask = _ASK if _WAY & set(further) else ""
            raise NodeLost(f"{login} wants more than a key from {login.user}: {legible(', '.join(further))}{ask}")
        return
    if login.password and transport.is_active():
        _by_password(transport, login, _methods(transport, login, deadline), deadline)
        return
    details = [f"keys tried: {', '.join(tried)}"] if tried else ["no key to try"]
    raise NodeLost(f"{login} refuses the login of {login.user} ({'; '.join(details + unusable)})")


def _methods(transport: paramiko.Transport, login: Login, deadline: float) -> Sequence[str]:
    """How the node lets ``login.user`` in; a password is not sent to find that out."""
    import paramiko

    transport.auth_timeout = max(0.1, deadline - time.monotonic())
    try:
        return transport.auth_none(login.user)
    except paramiko.BadAuthenticationType as error:
        return tuple(error.allowed_types)
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise NodeLost(f"{login} broke off the login of {login.user}: {said(error)}") from error


def _by_password(transport: paramiko.Transport, login: Login, methods: Sequence[str], deadline: float) -> None:
    """Send the password once, and to one question only: a wrong one that is repeated locks accounts."""
    import paramiko

    questions: list[str] = []

    def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        questions.extend(legible(prompt, 60) for prompt, _ in prompts)
        fits = len(prompts) == len(questions) == 1 and not prompts[0][1]
        return [login.password] if fits else [""] * len(prompts)

    transport.auth_timeout = max(0.1, deadline - time.monotonic())
    try:
        if "password" in methods:
            further = transport.auth_password(login.user, login.password, fallback=False)
        elif "keyboard-interactive" in methods:
            further = transport.auth_interactive(login.user, answer)
        elif methods:
            named = legible(", ".join(methods))
            raise NodeLost(f"{login} takes no password from {login.user}, only {named}, and none of the keys")
        else:
            return
    except (paramiko.SSHException, EOFError, OSError) as error:
        if len(questions) > 1:
            raise NodeLost(f"{login} asks {login.user} for more than a password: {', '.join(questions)}") from error
        raise NodeLost(f"{login} refuses the password of {login.user}") from error
    if further:
        raise NodeLost(f"{login} wants more than a password from {login.user}: {legible(', '.join(further))}")
    _LOG.debug("the password logs %s in", login.user)


def _keys(login: Login, unusable: list[str], deadline: float, ending: Ending) -> Iterator[tuple[str, paramiko.PKey]]:
    """The keys to try, each once: those in files, then the agent's.  Notes in ``unusable`` why others are not."""
    import paramiko

    seen: set[bytes] = set()
    for path in login.keys:
        try:
            key = _key_in(path, _changed(path))
        except OSError as error:
            unusable.append(f"{path}: {error.strerror or error}")
        except (TypeError, paramiko.PasswordRequiredException):
            unusable.append(f"{path} has a passphrase: add it to the ssh agent")
        except Exception as error:  # the crypto library has a dozen ways to say that it is no key
            unusable.append(f"{path} is not a usable key: {said(error)}")
        else:
            seen.add(key.asbytes())
            yield path, _ready(key, login)
    if not login.agent:
        return
    allowed = _public_halves(login.keys) if login.only_keys else None
    try:
        agent_keys = _agent_keys(login.agent, deadline, ending)
    except (OSError, paramiko.SSHException) as error:
        unusable.append(f"the ssh agent at {login.agent} does not answer: {said(error)}")
        return
    for key in agent_keys:
        if key.asbytes() not in seen and (allowed is None or key.asbytes() in allowed):
            yield f"{key.comment or key.get_name()} of the ssh agent", key


@lru_cache(16)  # a run logs in to every node with the same keys
def _key_in(path: str, changed: tuple[int, int]) -> paramiko.PKey:
    """The key in a file, as last ``changed``.  Raises what the crypto library does where it is none."""
    import paramiko

    return paramiko.PKey.from_path(path)


def _changed(path: str) -> tuple[int, int]:
    """When the key and its certificate were last written (0: it has none)."""
    try:
        certificate = os.stat(f"{path}-cert.pub").st_mtime_ns
    except FileNotFoundError:
        certificate = 0
    return os.stat(path).st_mtime_ns, certificate


def _ready(key: paramiko.PKey, login: Login) -> paramiko.PKey:
    if not login.old_algorithms:
        return key
    from stackdoctor.collect.old_algorithms import as_old_key

    return as_old_key(key)


def _agent_keys(path: str, deadline: float, ending: Ending) -> tuple[paramiko.AgentKey, ...]:
    from paramiko.agent import AgentSSH

    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    ending.add(lambda: hang_up(stream))
    stream.settimeout(max(0.1, deadline - time.monotonic()))
    stream.connect(path)
    agent: Any = AgentSSH()
    agent._connect(stream)  # paramiko's own Agent knows SSH_AUTH_SOCK only, and waits for ever
    return tuple(agent.get_keys())


def _public_halves(paths: tuple[str, ...]) -> set[bytes]:
    halves: set[bytes] = set()
    for path in paths:
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"{path}.pub", encoding="ascii") as stream:
            halves.add(base64.b64decode(stream.read().split()[1]))
    return halves
