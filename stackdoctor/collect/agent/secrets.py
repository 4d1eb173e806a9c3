"""Secrets do not leave the node: passwords, tokens and keys are redacted before anything is sent."""

import re

_VALUE = rb"(\"[^\"\n]{1,4096}\"|'[^'\n]{1,4096}'|[^\s\"',;&<>{}\[\]()]{1,4096})"
_SECRETS = (
    # scheme://user:password@host, and the further hosts of a transport_url
    (re.compile(rb"(://[^\s:/@,\"']{0,200}:)[^\s@/\"']{1,500}(?=@)"), rb"\1<redacted>"),
    (re.compile(rb"(,[^\s:/@,\"']{1,200}:)[^\s@/,:\"']{1,500}(?=@)"), rb"\1<redacted>"),
    (re.compile(rb"(iscsi://[^\s%@/]{1,200}%)[^\s@]{1,500}(?=@)"), rb"\1<redacted>"),
    (
        re.compile(
            rb"((?:passw(?:or)?d|passphrase|secret|secret_key|private_key|auth_key|encryption_key|fernet_key|token)"
            rb"[\w.-]{0,40}[\"']?[ \t]{0,20}(?:=|:|,[ \t]?<<)[ \t]{0,20})" + _VALUE,
            re.IGNORECASE,
        ),
        rb"\1<redacted>",
    ),
    (
        re.compile(rb"(--?[\w-]{0,40}(?:password|passwd|secret|token)[ \t]{1,20})" + _VALUE, re.IGNORECASE),
        rb"\1<redacted>",
    ),
    (re.compile(rb"((?:incoming|outgoing)user[ \t]{1,20}\S{1,200}[ \t]{1,20})\S{1,500}"), rb"\1<redacted>"),
    (re.compile(rb"gAAAA[\w=-]{20,}"), b"<redacted>"),
    (
        re.compile(
            rb"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----).{0,20000}?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.S
        ),
        rb"\1<redacted>",
    ),
)
_SUSPECT = re.compile(rb"://|pass|secret|token|_key|user[ \t]|gAAAA|PRIVATE KEY", re.IGNORECASE)


def redact(data: bytes) -> bytes:
    """``data`` without passwords, tokens, CHAP secrets, keys and the passwords in URLs; the rest of a line stays."""
    if _SUSPECT.search(data):
        for pattern, replacement in _SECRETS:
            data = pattern.sub(replacement, data)
    return data


def redacted_text(text: str) -> str:
    return redact(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
