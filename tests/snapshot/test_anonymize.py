"""What stands for a cloud's names fits together as they did, and gives the same causes."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackdoctor.diagnose.analyse import analyse
from stackdoctor.diagnose.knowledge import load_knowledge
from stackdoctor.model import Clock, Node, NodeResults, Result, Severity
from stackdoctor.snapshot.anonymize import Anonymizer, anonymize
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.read import read_snapshot
from stackdoctor.snapshot.write import write_snapshot

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES = sorted(path.parent.name for path in FIXTURES.glob("*/snapshot.tar.gz"))
KNOWLEDGE = load_knowledge()
KEY = b"a key of at least sixteen bytes"
PORT = "3f1e9d2c-7b4a-4c55-9a01-0123456789ab"
NAMES = Anonymizer(KEY, ["compute1", "ctl-a.example.com", "controller"])


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_cloud_has_the_same_causes_under_other_names(case: str) -> None:
    snapshot = read_snapshot(FIXTURES / case / "snapshot.tar.gz")
    hidden = anonymize(snapshot, KEY)
    before, after = (analyse(each, KNOWLEDGE).correlation for each in (snapshot, hidden))
    assert sorted((d.cause, d.severity) for d in after.diagnoses) == sorted(
        (d.cause, d.severity) for d in before.diagnoses
    )
    serious = [[f.id for f in found.unexplained if f.severity >= Severity.ERROR] for found in (before, after)]
    assert sorted(serious[0]) == sorted(serious[1])
    renamed = {n.node.name: m.node.name for n, m in zip(snapshot.nodes, hidden.nodes, strict=True)}
    places = sorted(renamed.get(d.where.get("node", ""), "") for d in before.diagnoses)
    assert places == sorted(
        d.where.get("node", "") if d.where.get("node") in renamed.values() else "" for d in after.diagnoses
    )


def test_the_names_that_neutron_makes_of_ids_still_agree() -> None:
    port = NAMES.text(PORT)
    assert port != PORT
    for before, length in (("tap", 11), ("qr-", 11), ("brq", 11), ("neutron-linuxbri-i", 10), ("NIPv4", 26)):
        assert NAMES.text(f"-i {before}{PORT[:length]} x") == f"-i {before}{port[:length]} x"
    for before in ("qdhcp-", "qrouter-", "volume-", "req-", "dhcp", "/"):
        assert NAMES.text(before + PORT) == before + port
    assert NAMES.text(PORT.replace("-", "")) == port.replace("-", "")
    assert NAMES.text(PORT.upper()) == port.upper()


def test_a_tap_device_has_the_mac_of_its_port_but_for_the_first_byte() -> None:
    port, tap = NAMES.text("fa:16:3e:12:34:56"), NAMES.text("fe:16:3e:12:34:56")
    assert port.startswith("fa:16:3e:")
    assert port != "fa:16:3e:12:34:56"
    assert tap == "fe" + port[2:]
    assert NAMES.text("01:fa:16:3e:12:34:56") == "01:" + port
    assert NAMES.text("ff:ff:ff:ff:ff:ff 00:00:00:00:00:00") == "ff:ff:ff:ff:ff:ff 00:00:00:00:00:00"
    hardware = NAMES.text("3c:fd:fe:12:34:56")
    assert hardware[:8] != "3c:fd:fe"
    assert hardware[8:] == port[8:]
    own = ipaddress.IPv6Address(NAMES.text("fe80::f816:3eff:fe12:3456"))
    assert own.exploded.endswith(f"3eff:fe{port[9:11]}:{port[12:14]}{port[15:17]}")


ADDRESSES = st.integers(0x0A000000, 0x0AFFFFFF)


@given(ADDRESSES, ADDRESSES, st.sampled_from([8, 16, 20, 22, 23, 24, 26, 28]))
def test_what_is_in_one_network_stays_in_one(a: int, b: int, length: int) -> None:
    one, other = (ipaddress.IPv4Network((address, length), strict=False) for address in (a, b))
    names = Anonymizer(KEY, networks=[one, other])
    moved = [ipaddress.IPv4Network(names.text(str(net))) for net in (one, other)]
    inside = ipaddress.IPv4Address(names.text(str(ipaddress.IPv4Address(a))))
    assert inside in moved[0]
    assert (moved[0] == moved[1]) == (one == other)
    assert names.text(str(one.network_address)) == str(moved[0].network_address) or length < 16


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:5672",
        "0.0.0.0/0",
        "169.254.169.254",
        "::1",
        ":::80",
        "224.0.0.18",
        "255.255.255.0",
        "fe80::1",
        "12:34:56",
        "1.2.3",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert NAMES.text(text) == text


def test_host_names_go_wherever_they_stand_and_plain_words_stay() -> None:
    text = NAMES.text("rabbit@compute1 compute.compute1 ctl-a.example.com: nova-compute on controller, compute10")
    assert "compute1 " not in text
    assert "example" not in text
    assert text.endswith(": nova-compute on controller, compute10")
    assert NAMES.text("compute1") in text
    assert NAMES.host("compute1") == NAMES.text("compute1")


def test_another_key_gives_other_names_and_the_same_key_the_same() -> None:
    text = f"{PORT} 10.1.2.3 compute1 fa:16:3e:12:34:56"
    assert Anonymizer(KEY, ["compute1"]).text(text) == NAMES.text(text)
    for one, other in zip(NAMES.text(text).split(), Anonymizer(b"other", ["compute1"]).text(text).split(), strict=True):
        assert one != other


def test_nothing_of_the_original_is_left_in_the_files(tmp_path: Path) -> None:
    stdout = json.dumps(
        {"host": "edge7", "id": PORT, "ip": "10.20.30.40", "mac": "fa:16:3e:aa:bb:cc", "ip6": "2001:db8:1:2::9"}
    )
    result = Result(
        "p", f"cat /var/log/edge7.log {PORT}", f"qdhcp-{PORT}", stdout=stdout.encode(), stderr=b"edge7 \xff"
    )
    node = NodeResults(
        Node("edge7", "10.20.30.40"), {("p", result.subject): result}, Clock(1.0), "edge7.corp.test", "edge7!"
    )
    hidden = anonymize(Snapshot((node,), 1.0, 1.0, "t"), KEY)
    write_snapshot(hidden, tmp_path / "s")
    files = [path for path in (tmp_path / "s").rglob("*") if path.is_file()]
    whole = "".join(f"{path} {path.read_text(errors='replace')}" for path in files).replace(str(tmp_path), "")
    for gone in ("edge7", "corp", PORT, PORT[:13], "10.20.30.40", "aa:bb:cc", "2001:db8:1:2"):
        assert gone not in whole
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
