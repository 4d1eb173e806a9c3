"""What Ansible hands to the ssh command, ``ansible_ssh_common_args`` and its like: jump host, user, port, key."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import NoReturn

from stackdoctor.errors import UsageError
from stackdoctor.inventory.nodelist import parse_address

__all__ = ["Way", "way_of"]

_FLAGS = "46AaCfGgKkMNnqsTtVvXxYy"
_VALUES = "BbcDEeFIiJLlmOopQRSWw"
"""Options of ssh(1) without and with a value."""

_OF_NO_MATTER = re.compile(
    r"(?i)control\w+|stricthostkeychecking|userknownhostsfile|globalknownhostsfile|checkhostip|serveralive\w+"
    r"|tcpkeepalive|forward(agent|x11\w*)|connect(timeout|ionattempts)|\w*authentication\w*|preferredauthentications"
    r"|loglevel|gssapi\w+|batchmode|compression|identitiesonly|numberofpasswordprompts|requesttty|sendenv|visualhostkey"
    r"|addressfamily|ciphers|macs|kexalgorithms|hostkeyalgorithms|pubkeyaccepted\w+|updatehostkeys|addkeystoagent"
)
"""Options of ssh_config(5) that change neither where a login goes nor as whom; host keys are always verified here."""


@dataclass(frozen=True)
class Way:
    """How a host is reached; empty where nothing is said.  ``notes`` say what was not taken."""

    jump: str = ""
    user: str = ""
    port: str = ""
    key: str = ""
    notes: tuple[str, ...] = ()

    def then(self, later: Way) -> Way:
        """This one with what ``later`` says over it."""
        return Way(
            later.jump or self.jump,
            later.user or self.user,
            later.port or self.port,
            later.key or self.key,
            (*self.notes, *later.notes),
        )


def way_of(arguments: str) -> Way:
    """The way that ``arguments`` of ssh describe.

    >>> way_of("-o StrictHostKeyChecking=no -o ProxyCommand='ssh -W %h:%p -q stack@gate.example.com'").jump
    'stack@gate.example.com'

    Raises UsageError for what would lead elsewhere and cannot be followed: another ProxyCommand, a file of ssh's.
    """
    options, rest = _options(arguments)
    if rest:
        _fail(f"{rest[0]!r} is no option of ssh")
    way = Way()
    for name, value in options:
        way = way.then(_one(name, value))
    return way


def _one(name: str, value: str) -> Way:
    keyword = name.lower()
    if name == "J" or keyword == "proxyjump":
        if value.lower() != "none":
            for hop in value.split(","):
                parse_address(hop)
        return Way(jump=value)
    if keyword == "proxycommand":
        return _over(value)
    if name == "i" or keyword == "identityfile":
        return Way(key=value)
    if name == "l" or keyword == "user":
        return Way(user=value)
    if name == "p" or keyword == "port":
        return Way(port=value)
    if len(name) == 1 and name in "FSWw":
        _fail(f"-{name} {value} is not followed: say it in ~/.ssh/config")
    if len(name) > 1 and not _OF_NO_MATTER.fullmatch(name):
        _fail(f"the option {name} is not followed: say it in ~/.ssh/config")
    return Way()


def _over(command: str) -> Way:
    """``ssh -W %h:%p HOST``, or ``nc`` over ssh, is a jump over that host."""
    if command.lower() == "none":
        return Way(jump="none")
    program, *arguments = _words(command) or [""]
    if program.rpartition("/")[2] != "ssh":
        _fail(f"ProxyCommand {command!r} is not run: say it in ~/.ssh/config")
    options, rest = _options(shlex.join(arguments))
    forwards = any(name == "W" for name, _ in options)
    if not rest or (len(rest) > 1 and not re.search(r"\b(nc|netcat|ncat)\b", rest[1])) or not (forwards or rest[1:]):
        _fail(f"ProxyCommand {command!r} is not run: say it in ~/.ssh/config")
    hop = parse_address(rest[0])
    way = Way()
    for name, value in options:
        if name != "W":
            way = way.then(_one(name, value))
    user = hop.user or way.user
    port = f":{way.port}" if way.port else f":{hop.port}" if hop.port else ""
    host = f"[{hop.host}]" if ":" in hop.host else hop.host
    jump = (f"{user}@" if user else "") + host + port
    note = f"the key {way.key} for {host} is not taken from ProxyCommand: say it in ~/.ssh/config, under Host {host}"
    return Way(jump=f"{way.jump},{jump}" if way.jump else jump, notes=(note,) if way.key else ())


def _options(arguments: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Options of ssh by letter, those of ``-o`` by keyword, with their values; and the words after them."""
    words = _words(arguments)
    options: list[tuple[str, str]] = []
    place = 0
    rest: list[str] = []
    while place < len(words):
        word = words[place]
        place += 1
        if not word.startswith("-") or word == "-":
            rest.append(word)
            if len(rest) > 1:
                return options, [*rest, *words[place:]]
            continue
        letters = word[1:].lstrip(_FLAGS)
        if not letters:
            continue
        letter, value = letters[0], letters[1:]
        if letter not in _VALUES:
            _fail(f"{word!r} is no option of ssh")
        if not value:
            if place == len(words):
                _fail(f"{word!r} needs a value")
            value = words[place]
            place += 1
        if letter == "o":
            match = re.match(r"\s*(\w+)\s*[=\s]\s*", value)
            if match is None:
                _fail(f"-o {value!r} sets no option: Name=value is expected")
            letter, value = match[1], value[match.end() :].strip()
            value = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
        options.append((letter, value))
    return options, rest


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        _fail(f"{text!r}: {error}")


def _fail(problem: str) -> NoReturn:
    raise UsageError(problem)
