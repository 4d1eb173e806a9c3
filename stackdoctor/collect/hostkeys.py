"""Whose host key it is: known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) and the rule for unknown keys."""

from __future__ import annotations

import base64
import binascii
import fcntl
import fnmatch
import hashlib
import hmac
import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["HostKey", "HostKeyAdded", "HostKeyPolicy", "HostKeyRefused", "KnownHost", "read_known_hosts"]


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
    """One line of a known_hosts file; ``names`` are patterns, or one hashed name."""

    names: tuple[str, ...]
    key: HostKey
    marker: str
    file: str
    line: int

    def matches(self, name: str) -> bool:
        """Whether the line is about ``name`` (``host``, or ``[host]:port`` for other ports than 22)."""
        if self.names[0].startswith("|1|"):
            return _hashed_matches(self.names[0], name)
        found = False
        for pattern in self.names:
            negated = pattern.startswith("!")
            # Only * and ? are special there: [ is a part of [host]:port.
            if fnmatch.fnmatchcase(name, pattern.removeprefix("!").lower().replace("[", "[[]")):
                if negated:
                    return False
                found = True
        return found


def _hashed_matches(hashed: str, name: str) -> bool:
    try:
        _, _, salt, digest = hashed.split("|")
        wanted = base64.b64decode(digest, validate=True)
        return hmac.compare_digest(hmac.digest(base64.b64decode(salt, validate=True), name.encode(), "sha1"), wanted)
    except (ValueError, binascii.Error):
        return False


def read_known_hosts(files: Iterable[str]) -> Iterator[KnownHost]:
    """The lines of ``files``; a file that is not there has none, and lines that are no entries are passed over.

    Raises OSError for a file that cannot be read: without it no host could be told from another.
    """
    for file in files:
        try:
            with open(file, encoding="utf-8", errors="replace") as stream:
                lines = stream.read().splitlines()
        except FileNotFoundError:
            continue
        for number, line in enumerate(lines, 1):
            fields = line.split()
            marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
            if len(fields) < 3 or fields[0].startswith("#"):
                continue
            try:
                blob = base64.b64decode(fields[2], validate=True)
            except (ValueError, binascii.Error):
                continue
            yield KnownHost(tuple(fields[0].split(",")), HostKey(fields[1], blob), marker, file, number)


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
        return [k for k in read_known_hosts(self.files) if k.matches(name)]

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
