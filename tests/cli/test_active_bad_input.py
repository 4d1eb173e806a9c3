"""What `capture`, `pcap` and `test` say of what they cannot do: one sentence, the right exit status, nothing done."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

Run = Callable[..., subprocess.CompletedProcess[str]]

URL = "rabbit://openstack:pw-of-the-test@192.0.2.1:5672/"
PORTAL = "192.0.2.30:3260"
CONSENT = "needs --yes where there is no terminal to ask"


def said(run: Run, inventory: Path, *words: str) -> str:
    """The sentence on standard error, with exit status 2."""
    done = run(*words, "-i", str(inventory), "-q")
    assert done.returncode == 2, (words, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert "pw-of-the-test" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("capture", "--on", "contorller:eth0"), "did you mean controller?"),
        (("capture", "--path", "vm9", "--to", "dhcp"), "no port 'vm9': did you mean tap"),
        (("test", "dhcp", "fa:16:3e:2e:02:e6"), "no port 'fa:16:3e:2e:02:e6': did you mean tap"),
        (("test", "ping", "vm1", "--from", "contorller"), "did you mean controller"),
        (("test", "metadata", "no-such"), "no port 'no-such': there are tap"),
        (("test", "iscsi", PORTAL, "--from", "compute9"), "did you mean compute"),
        (("trace", "request", "req-00000000-0000-4000-8000-000000000000"), "look further back with --since"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(
    run: Run, inventory: Path, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in said(run, inventory, *words)


@pytest.mark.parametrize(
    ("words", "will"),
    [
        (("capture", "--on", "controller:eth0"), "tcpdump"),
        (("test", "dhcp", "vm1"), "no REQUEST, so no lease is made"),
        (("test", "ping", "vm1"), "echo requests"),
        (("test", "mtu", "vm1"), "at most 30 echo requests"),
        (("test", "metadata", "vm1"), "one HTTP request"),
        (("test", "iscsi", PORTAL, "--from", "compute1"), "log in to 192.0.2.30:3260"),
        (("test", "amqp", "--url", URL), "192.0.2.1"),
        (("test", "rpc", "--url", URL), "queue"),
        (("trace", "rpc", "--topic", "conductor", "--live", "5s", "--url", URL), "trace_off"),
    ],
)
def test_without_consent_nothing_is_done_and_what_would_be_is_said(
    run: Run, inventory: Path, words: tuple[str, ...], will: str
) -> None:
    told = said(run, inventory, *words)
    assert told.startswith("This will:")
    assert will in told
    assert CONSENT in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("capture",), "name the hops with --on"),
        (("capture", "--on", "nonsense"), "NODE:INTERFACE"),
        (("capture", "--on", "controller:eth0", "--filter", "udp 'port"), "no closing quotation"),
        (("capture", "--on", "controller:eth0", "--filter", "-z reboot", "--yes"), "nothing was sent"),
        (("test", "iscsi", "nonsense"), "ADDRESS:3260"),
        (("test", "amqp"), "name the broker"),
        (("test", "amqp", "--url", "nonsense"), "rabbit://USER:PASSWORD@HOST"),
        (("trace", "rpc", "--live", "5s", "--url", URL), "which calls?"),
        (("trace", "rpc", "--topic", "conductor", "--live", "20m", "--url", URL), "1 s to 10 min"),
    ],
)
def test_wrong_use_is_said_before_a_node_is_asked(
    run: Run, inventory: Path, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in said(run, inventory, *words)


def pcap(*frames: bytes, link_type: int = 1) -> bytes:
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)
    return head + b"".join(struct.pack("<IIII", 1795380000, 0, len(f), len(f)) + f for f in frames)


def frame(port: int) -> bytes:
    return bytes(Ether() / IP(src="192.0.2.10", dst="192.0.2.1") / TCP(sport=40000, dport=port, flags="S"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "No such file"),
        (b"", "is no capture"),
        (b"PK\x03\x04 and more than four and twenty bytes", "is no capture"),
        (pcap(frame(80))[:12], "is no capture"),
        (pcap(link_type=9), "link type 9"),
    ],
    ids=["absent", "empty", "foreign", "cut in its header", "link type"],
)
def test_a_file_that_is_no_capture_is_said(run: Run, tmp_path: Path, content: bytes | None, sentence: str) -> None:
    file = tmp_path / "hop.pcap"
    if content is not None:
        file.write_bytes(content)
    done = run("pcap", str(file))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_capture_that_breaks_off_is_read_to_there_and_said_to(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "hop.pcap"
    file.write_bytes(pcap(frame(81), frame(81))[:-20])
    done = run("pcap", str(file))
    assert done.returncode == 0, done.stderr
    assert "1 packets" in done.stdout
    assert "its end is cut off" in " ".join(done.stdout.split())


def test_without_tshark_its_package_is_named_and_the_packets_are_followed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "broker.pcap"
    file.write_bytes(pcap(frame(5672)))
    done = run("pcap", str(file), PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "package tshark" in done.stdout
    assert "TCP to port 5672" in done.stdout
