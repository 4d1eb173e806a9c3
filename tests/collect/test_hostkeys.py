"""Which host keys are let through, by real known_hosts lines."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest

from stackdoctor.collect.hostkeys import HostKey, HostKeyPolicy, HostKeyRefused, read_ahead

# The public host keys of github.com, as their documentation prints them.
ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
ECDSA = (
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wA"
    "dT/y6v0mKV0U2w0WZ2YB/++Tpockg="
)
KEY = HostKey("ssh-ed25519", base64.b64decode(ED25519))
OTHER = HostKey("ecdsa-sha2-nistp256", base64.b64decode(ECDSA))
FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


def policy(folder: Path, *lines: str, accept_new: bool = False) -> HostKeyPolicy:
    file = folder / "known_hosts"
    file.write_text("".join(f"{line}\n" for line in lines))
    return HostKeyPolicy((str(file),), accept_new)


def hashed(name: str) -> str:
    salt = b"s" * 20
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def test_the_fingerprint_is_the_one_that_the_owner_publishes() -> None:
    assert KEY.fingerprint == FINGERPRINT


@pytest.mark.parametrize(
    ("names", "host", "port"),
    [
        ("ctl", "ctl", 22),
        ("ctl", "CTL", 22),
        ("ctl,192.0.2.10", "192.0.2.10", 22),
        ("[ctl]:2222", "ctl", 2222),
        ("[2001:db8::1]:2222", "2001:db8::1", 2222),
        ("*.example.org", "ctl.example.org", 22),
        ("compute?", "compute1", 22),
        (hashed("ctl"), "ctl", 22),
        (hashed("[ctl]:2222"), "ctl", 2222),
    ],
)
def test_an_entry_is_found_however_the_host_is_written(tmp_path: Path, names: str, host: str, port: int) -> None:
    assert policy(tmp_path, f"{names} ssh-ed25519 {ED25519} a comment").check(host, port, KEY) is None


@pytest.mark.parametrize(
    ("names", "host", "port"),
    [
        ("[ctl]:2222", "ctl", 22),
        ("ctl", "ctl", 2222),
        ("*,!ctl", "ctl", 22),
        ("[c]tl", "ctl", 22),
        (hashed("other"), "ctl", 22),
        ("|1|not|base64", "ctl", 22),
        ("@cert-authority *", "ctl", 22),
    ],
)
def test_an_entry_about_another_host_does_not_count(tmp_path: Path, names: str, host: str, port: int) -> None:
    with pytest.raises(HostKeyRefused, match="is unknown"):
        policy(tmp_path, f"{names} ssh-ed25519 {ED25519}").check(host, port, KEY)


def test_an_unknown_key_is_refused_and_the_text_says_how_to_add_it(tmp_path: Path) -> None:
    known = policy(tmp_path, "# nothing", "", "broken line")
    with pytest.raises(HostKeyRefused) as caught:
        known.check("ctl", 2222, KEY)
    text = str(caught.value)
    assert FINGERPRINT in text
    assert f"ssh-keyscan -p 2222 ctl >> {known.files[0]}" in text
    assert "--accept-new" in text
    assert Path(known.files[0]).read_text() == "# nothing\n\nbroken line\n"


def test_a_changed_key_is_refused_with_file_and_line_even_when_new_ones_are_accepted(tmp_path: Path) -> None:
    changed = HostKey("ssh-ed25519", KEY.blob[:-1] + b"x")
    known = policy(tmp_path, "# mine", f"ctl ssh-ed25519 {ED25519}", accept_new=True)
    with pytest.raises(HostKeyRefused) as caught:
        known.check("ctl", 22, changed)
    assert "HAS CHANGED" in str(caught.value)
    assert f"{known.files[0]} line 2 has ssh-ed25519 {FINGERPRINT}" in str(caught.value)
    assert "ssh-keygen -f" in str(caught.value)


def test_a_new_type_of_key_does_not_get_by_the_known_one(tmp_path: Path) -> None:
    known = policy(tmp_path, f"ctl ssh-ed25519 {ED25519}", accept_new=True)
    with pytest.raises(HostKeyRefused, match="HAS CHANGED"):
        known.check("ctl", 22, OTHER)


def test_one_of_several_known_keys_is_enough(tmp_path: Path) -> None:
    known = policy(tmp_path, f"ctl ssh-ed25519 {ED25519}", f"ctl ecdsa-sha2-nistp256 {ECDSA}")
    assert known.check("ctl", 22, OTHER) is None


def test_a_revoked_key_is_refused(tmp_path: Path) -> None:
    known = policy(tmp_path, f"ctl ssh-ed25519 {ED25519}", f"@revoked * ssh-ed25519 {ED25519}", accept_new=True)
    with pytest.raises(HostKeyRefused, match=r"revoked in .*known_hosts line 2"):
        known.check("ctl", 22, KEY)


def test_a_new_key_is_written_to_a_private_file_and_said(tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    known = HostKeyPolicy((str(file), "/nonexistent"), accept_new=True)
    added = known.check("ctl", 2222, KEY)
    assert added is not None
    assert (added.host, added.fingerprint, added.file) == ("ctl port 2222", f"ssh-ed25519 {FINGERPRINT}", str(file))
    assert file.read_text() == f"[ctl]:2222 ssh-ed25519 {ED25519}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert known.check("ctl", 2222, KEY) is None


def test_a_new_key_begins_a_line_of_its_own(tmp_path: Path) -> None:
    known = policy(tmp_path, accept_new=True)
    Path(known.files[0]).write_text(f"other ssh-ed25519 {ED25519}")
    known.check("ctl", 22, KEY)
    assert known.check("ctl", 22, KEY) is None
    assert known.check("other", 22, KEY) is None


def test_a_file_that_cannot_be_read_is_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(HostKeyRefused, match="Is a directory"):
        HostKeyPolicy((str(tmp_path),), accept_new=True).check("ctl", 22, KEY)


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    asked = policy(tmp_path, f"ctl ssh-ed25519 {ED25519}")
    assert asked.check("ctl", 22, KEY) is None
    file = tmp_path / "known_hosts"
    before = file.stat()
    file.write_text(f"abc ssh-ed25519 {ED25519}\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert file.stat().st_size == before.st_size
    with pytest.raises(HostKeyRefused, match="ctl port 22 is unknown"):
        asked.check("ctl", 22, KEY)


def test_what_is_read_ahead_may_be_missing_or_shut(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    read_ahead([str(tmp_path / "none"), str(tmp_path / "folder")])
