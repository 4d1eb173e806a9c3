"""SSH with servers from before 2016, which know SHA-1 only: for the nodes of --old-algorithms, and after all others.

What is offered besides: diffie-hellman-group14-sha1 (RFC 4253, 8.2), host and user keys signed as ssh-rsa (RFC 4253,
6.6), and CBC ciphers.  Not the 1024-bit group1, nor DSA keys, MD5 or RC4: those are broken in practice.
Newer versions of paramiko have none of it, so that it is added here, to a transport of its own.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Any, ClassVar

import paramiko
from cryptography.hazmat.primitives import hashes
from paramiko.kex_group14 import KexGroup14SHA256

__all__ = ["OldKey", "OldTransport", "as_old_key"]

_NEW: Any = paramiko.Transport


class _OldKex(KexGroup14SHA256):
    name = "diffie-hellman-group14-sha1"
    hash_algo = sha1


class OldKey(paramiko.RSAKey):
    """An RSA key whose signatures may be ssh-rsa, with SHA-1."""

    HASHES: ClassVar[dict[str, Any]] = {**paramiko.RSAKey.HASHES, "ssh-rsa": hashes.SHA1}  # type: ignore[misc]


class OldTransport(paramiko.Transport):
    """A connection that also offers the old algorithms, as the last ones."""

    _kex_info: ClassVar[dict[str, Any]] = {**_NEW._kex_info, _OldKex.name: _OldKex}
    _key_info: ClassVar[dict[str, Any]] = {**_NEW._key_info, "ssh-rsa": OldKey}
    _preferred_kex = (*(name for name in _NEW._preferred_kex if not name.endswith("sha1")), _OldKex.name)
    _preferred_keys = (*(name for name in _NEW._preferred_keys if name != "ssh-rsa"), "ssh-rsa")

    @property
    def preferred_pubkeys(self) -> tuple[str, ...]:
        """With ssh-rsa: first where the server's own key signs so, or it names no algorithms (RFC 8308)."""
        transport: Any = super()
        newer = tuple(name for name in transport.preferred_pubkeys if name != "ssh-rsa")
        named: Any = vars(self)["server_extensions"]
        knows = self.host_key_type != "ssh-rsa" and "server-sig-algs" in named
        return (*newer, "ssh-rsa") if knows else ("ssh-rsa", *newer)


def as_old_key(key: paramiko.PKey) -> paramiko.PKey:
    """``key``, able to sign with SHA-1 where it is an RSA key."""
    return OldKey(key=key.key) if isinstance(key, paramiko.RSAKey) else key
