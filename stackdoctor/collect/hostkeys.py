"""Whose host key it is: known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) and the rule for unknown keys."""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import fnmatch
import hashlib
import hmac
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["HostKey", "HostKeyAdded", "HostKeyPolicy", "HostKeyRefused", "KnownHost", "read_ahead"]


@dataclass(frozen=True)
class HostKeyAdded:
    """An event: the key of a host that was not known has been written to ``file``."""

    host: str
    fingerprint: str
    file: str


class HostKeyRefused(Exception):
    """The host shows a key that is unknown, or not the known one; its text is for the user."""


@dataclass(frozen=True)
class HostKey:
    """A public key: its type (``ssh-ed25519``) and the blob of RFC 4253, 6.6."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: ``SHA256:`` and base64 without padding."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class KnownHost:
    """One line of a known_hosts file; ``names`` are patterns, or one name whose salt and digest are ``hashed``."""

    names: tuple[str, ...]
    key: HostKey
    marker: str
    file: str
    line: int
    hashed: tuple[bytes, bytes] | None

    def matches(self, name: str) -> bool:
        """Whether the line is about ``name`` (``host``, or ``[host]:port`` for other ports than 22)."""
        if self.hashed:
            return hmac.compare_digest(hmac.digest(self.hashed[0], name.encode(), "sha1"), self.hashed[1])
        found = False
        for pattern in self.names:
            negated = pattern.startswith("!")
            # Only * and ? are special there: [ is a part of [host]:port.
            if fnmatch.fnmatchcase(name, pattern.removeprefix("!").lower().replace("[", "[[]")):
                if negated:
                    return False
                found = True
        return found


@dataclass(frozen=True)
class _Entries:
    """The entries of one file: those of each name that is written out, and those that are to be compared with it."""

    by_name: Mapping[str, tuple[KnownHost, ...]]
    compared: tuple[KnownHost, ...]

    def about(self, name: str) -> list[KnownHost]:
        """Those that match ``name``, in their order."""
        compared = [entry for entry in self.compared if entry.matches(name)]
        return sorted((*self.by_name.get(name, ()), *compared), key=lambda entry: entry.line)


def _entries(file: str, name: str) -> list[KnownHost]:
    """What ``file`` says about ``name``: nothing where it is not there; lines that are no entries are passed over.

    Raises OSError for a file that cannot be read: without it no host could be told from another.
    """
    try:
        state = os.stat(file)
        return _read(file, state.st_ino, state.st_size, state.st_mtime_ns).about(name)
    except FileNotFoundError:
        return []


def read_ahead(files: Iterable[str]) -> None:
    """Have ``files`` read: threads that need them at once would each do it."""
    for file in files:
        with contextlib.suppress(OSError):
            _entries(file, "")


@lru_cache(8)  # a run asks the same files about every node
def _read(file: str, *state: int) -> _Entries:
    """What is in ``file`` now, for as long as its ``state`` (inode, size, time) is the same."""
    with open(file, encoding="utf-8", errors="replace") as stream:
        return _parsed(file, stream.read())


def _parsed(file: str, content: str) -> _Entries:
    by_name: dict[str, tuple[KnownHost, ...]] = {}
    compared = []
    for number, line in enumerate(content.splitlines(), 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except (ValueError, binascii.Error):
            continue
        names = tuple(fields[0].split(","))
        entry = KnownHost(names, HostKey(fields[1], blob), marker, file, number, _hash_of(names[0]))
        if entry.hashed or any(special in fields[0] for special in "*?!"):
            compared.append(entry)
            continue
        for name in dict.fromkeys(fields[0].lower().split(",")):
            by_name[name] = (*by_name.get(name, ()), entry)
    return _Entries(by_name, tuple(compared))


def _hash_of(name: str) -> tuple[bytes, bytes] | None:
    """Salt and digest of a hashed name; of a broken one none that any name has."""
    if not name.startswith("|1|"):
        return None
    try:
        _, _, salt, digest = name.split("|")
        return base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except (ValueError, binascii.Error):
        return b"", b""


@dataclass(frozen=True)
class HostKeyPolicy:
    """A key that is not in ``files`` is refused; with ``accept_new`` it is added to the first of them.

    A key other than the known one is refused in any case, also when it is of another type: who cannot
    show the known key must not get by with a new one.
    """

    files: tuple[str, ...]
    accept_new: bool = False

    def known(self, host: str, port: int) -> list[KnownHost]:
        """The plain entries about a host, in the order of the files."""
        return [k for k in self._entries(host, port) if not k.marker]

    def check(self, host: str, port: int, key: HostKey) -> HostKeyAdded | None:
        """Raises HostKeyRefused unless ``key`` is the host's; says what it added to a file."""
        try:
            if self._is_known(host, port, key):
                return None
            if self.accept_new:
                return self._add(host, port, key)
        except OSError as error:
            raise HostKeyRefused(f"cannot use the known host keys in {error.filename}: {error.strerror}") from error
        file = self.files[0]
        scan = f"ssh-keyscan -p {port} {shlex.quote(host)} >> {shlex.quote(file)}"
        raise HostKeyRefused(
            f"the host key of {host} port {port} is unknown: {key.type} {key.fingerprint} is not in {file}; "
            f"compare it with the host's own and add it (`{scan}`), or use --accept-new"
        )

    def _entries(self, host: str, port: int) -> list[KnownHost]:
        name = _known_as(host, port)
        return [entry for file in self.files for entry in _entries(file, name)]

    def _is_known(self, host: str, port: int, key: HostKey) -> bool:
        entries = self._entries(host, port)
        revoked = next((k for k in entries if k.marker == "@revoked" and k.key.blob == key.blob), None)
        if revoked:
            raise HostKeyRefused(
                f"the host key of {host} port {port} ({key.fingerprint}) is marked as revoked "
                f"in {revoked.file} line {revoked.line}"
            )
        plain = [k for k in entries if not k.marker]
        if any(k.key == key for k in plain):
            return True
        if plain:
            other = next((k for k in plain if k.key.type == key.type), plain[0])
            remove = f"ssh-keygen -f {shlex.quote(other.file)} -R {shlex.quote(_known_as(host, port))}"
            raise HostKeyRefused(
                f"THE HOST KEY OF {host} PORT {port} HAS CHANGED, or someone listens in between: "
                f"{other.file} line {other.line} has {other.key.type} {other.key.fingerprint}, "
                f"the host shows {key.type} {key.fingerprint}; if it was reinstalled, remove the old key (`{remove}`)"
            )
        return False

    def _add(self, host: str, port: int, key: HostKey) -> HostKeyAdded | None:
        file = self.files[0]
        os.makedirs(os.path.dirname(file) or ".", mode=0o700, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "r+b") as stream:
            # Nodes are visited at once, and two of them may be one host.
            fcntl.flock(stream, fcntl.LOCK_EX)
            if self._is_known(host, port, key):
                return None
            torn = False
            if stream.seek(0, os.SEEK_END):
                stream.seek(-1, os.SEEK_END)
                torn = stream.read(1) != b"\n"
            line = f"{_known_as(host, port)} {key.type} {base64.b64encode(key.blob).decode()}\n"
            stream.write((b"\n" if torn else b"") + line.encode())
        return HostKeyAdded(f"{host} port {port}", f"{key.type} {key.fingerprint}", file)


def _known_as(host: str, port: int) -> str:
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"
