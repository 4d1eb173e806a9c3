"""`stackdoctor firewall` over a recorded cloud: the port found, the packet filled in, verdict, rule and exit status."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stackdoctor.model import Clock, Node, NodeResults, Result, Status
from stackdoctor.snapshot.format import Snapshot
from stackdoctor.snapshot.write import write_snapshot

Run = Callable[..., subprocess.CompletedProcess[str]]
Change = Callable[[str], str]

SAMPLES = Path(__file__).parents[1] / "checks" / "network" / "samples"
INTO = "neutron-linuxbri-i30d5603c-4"
SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables"
REPLY = "udp 10.10.0.2:67 > 10.10.0.189:68"
VM1 = "tap30d5603c-42"


def recorded(name: str, changes: dict[tuple[str, str, str], Change | None]) -> NodeResults:
    recording = json.loads((SAMPLES / f"{name}.json").read_text())
    results = {}
    for row in recording["results"]:
        key = (row["probe"], row["subject"])
        result = Result(
            row["probe"], row["command"], row["subject"], Status(row["status"]), row["exit"], row["stdout"].encode()
        )
        change = changes.get((name, *key), lambda text: text)
        if change is not None:
            results[key] = replace(result, stdout=change(result.text).encode())
    return NodeResults(Node(name), results, Clock(recording["now"]), hostname=name)


@pytest.fixture
def ask(run: Run, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def ask_(
        port: str, packet: str, *more: str, **changes: dict[tuple[str, str, str], Change | None]
    ) -> subprocess.CompletedProcess[str]:
        nodes = tuple(recorded(n, changes.get("changes", {})) for n in ("controller", "compute1", "compute2"))
        if not (tmp_path / "cloud").exists():
            write_snapshot(Snapshot(nodes, 1795366000.0, 1.0, "test"), tmp_path / "cloud")
        done = run("firewall", port, "--packet", packet, "--from", "cloud", *more)
        assert "Traceback" not in done.stderr
        return done

    return ask_


def with_a_drop(text: str) -> str:
    drop = f"[15:5190] -A {INTO} -p udp -m udp --sport 67 --dport 68 -j DROP"
    lines = text.split("\n")
    lines.insert(next(i for i, line in enumerate(lines) if f"-A {INTO} " in line), drop)
    return "\n".join(lines)


DROPPED = {("compute1", "iptables.save", ""): with_a_drop}


def test_an_accepted_packet_exits_with_0_and_shows_the_jumps(ask: Run) -> None:
    done = ask("vm1", REPLY)
    assert done.returncode == 0, done.stderr
    port, verdict, *way = done.stdout.splitlines()
    assert port == f"{VM1} on compute1 (vm1, instance-00000006, fa:16:3e:1c:77:97, 10.10.0.189)"
    assert verdict.startswith("accept: by rule 3 of neutron-linuxbri-sg-chain: ")
    assert "physdev-in vxlan-994 physdev-out tap30d5603c-42 to fa:16:3e:1c:77:97" in way[0]
    assert [line.split()[1] for line in way if " rule " in line and line.startswith("  filter")][-2:] == [
        INTO,
        "neutron-linuxbri-sg-chain",
    ]


def test_a_dropped_packet_exits_with_1_and_names_the_rule(ask: Run) -> None:
    done = ask("vm1", REPLY, changes=DROPPED)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[1].endswith(f"[15:5190] -A {INTO} -p udp -m udp --sport 67 --dport 68 -j DROP")


@pytest.mark.parametrize(
    "port",
    [
        "30d5603c-42",
        "30d5603c",
        "30D5603C-4216-4711-8000-000000000000",
        VM1,
        "compute1:tap30d5603c-42",
        "instance-00000006",
        "VM1",
        "10.10.0.189",
        "fa:16:3e:1c:77:97",
    ],
)
def test_a_port_is_found_by_whatever_is_at_hand(ask: Run, port: str) -> None:
    done = ask(port, REPLY)
    assert done.stdout.startswith(f"{VM1} on compute1"), done.stderr


def test_an_instances_id_finds_its_port(ask: Run) -> None:
    server = json.loads(ask("vm1", REPLY, "--format", "json").stdout)["port"]["server"]
    assert len(server) == 36
    done = ask(server[:13], REPLY)
    assert done.stdout.startswith(f"{VM1} on compute1"), done.stderr


def test_a_dhcp_servers_port_is_found_by_its_address(ask: Run) -> None:
    done = ask("10.10.0.2", "udp 0.0.0.0:68 > 255.255.255.255:67 out tapaf0c69a5-3e")
    assert done.returncode == 0
    assert done.stdout.startswith("tapaf0c69a5-3e on controller (fa:16:3e:")


def test_the_source_says_that_a_packet_comes_from_the_port(ask: Run) -> None:
    report = json.loads(ask("vm1", "icmp 10.10.0.189 > 10.10.0.1 type 8 code 0", "--format", "json").stdout)
    assert "physdev-in tap30d5603c-42 physdev-out vxlan-994 mac fa:16:3e:1c:77:97" in report["packet"]
    assert report["verdict"] == "accept"
    assert "neutron-linuxbri-s30d5603c-4" in [step["chain"] for step in report["path"]]


def test_another_mac_than_the_ports_is_dropped(ask: Run) -> None:
    done = ask("vm1", "icmp 10.10.0.189 > 10.10.0.1 type 8 code 0 mac fa:16:3e:de:ad:01", "--format", "json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["certain"]) == (1, "drop", True)
    assert report["rule"]["chain"] == "neutron-linuxbri-s30d5603c-4"


def test_where_it_cannot_be_said_the_word_is_may_and_what_is_unknown(ask: Run) -> None:
    done = ask("vm1", "tcp 10.10.0.167:4000 > 10.10.0.189:3306")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("may: accept or drop")
    assert "NIPv4b67a1897" in done.stdout


def test_frames_that_pass_iptables_by_are_not_dropped_by_it(ask: Run) -> None:
    changes = {**DROPPED, ("compute1", "bridges.netfilter", SWITCH): lambda text: "0\n"}
    done = ask("vm1", REPLY, changes=changes)
    assert done.returncode == 0
    assert "bridge-nf-call-iptables is off on compute1" in done.stdout


def test_an_unknown_port_is_answered_with_near_ones(ask: Run) -> None:
    done = ask("vm11", REPLY)
    assert done.returncode == 2
    assert "no port 'vm11': did you mean tap30d5603c-42 on compute1 (vm1," in done.stderr


def test_several_ports_of_one_name_are_listed(ask: Run) -> None:
    changes = {("compute2", "libvirt.dumpxml", "instance-00000007"): lambda text: text.replace(">vm2<", ">vm1<")}
    done = ask("vm1", REPLY, changes=changes)
    assert done.returncode == 2
    assert "'vm1' names 2 ports" in done.stderr
    assert "on compute1" in done.stderr
    assert "on compute2" in done.stderr


def test_a_packet_that_is_not_the_ports_asks_for_its_direction(ask: Run) -> None:
    done = ask("vm1", "tcp 192.0.2.1:4000 > 192.0.2.2:22")
    assert done.returncode == 2
    assert f"add `out {VM1}`" in done.stderr
    assert ask("vm1", f"tcp 192.0.2.1:4000 > 192.0.2.2:22 out {VM1}").returncode == 0


@pytest.mark.parametrize("packet", ["udp", "udp 192.0.2.1 > nowhere", "carrier-pigeon 192.0.2.1 > 192.0.2.2"])
def test_what_is_no_packet_is_wrong_use(ask: Run, packet: str) -> None:
    assert ask("vm1", packet).returncode == 2


def test_rules_that_were_not_read_are_status_3(ask: Run) -> None:
    done = ask("vm1", REPLY, changes={("compute1", "iptables.save", ""): None})
    assert done.returncode == 3
    assert "the rules of compute1 could not be read" in done.stderr


def test_a_name_with_escape_sequences_reaches_no_terminal(ask: Run) -> None:
    changes = {("compute1", "libvirt.dumpxml", "instance-00000006"): lambda text: text.replace(">vm1<", ">vm\u202e1<")}
    assert "\u202e" not in ask("instance-00000006", REPLY, changes=changes).stdout


def test_a_live_cloud_is_looked_at_over_ssh(run: Run, inventory: Path) -> None:
    done = run("firewall", "no-such-port", "--packet", REPLY, "-i", str(inventory))
    assert done.returncode == 2
    assert "[4/4]" in done.stderr
    assert "no port 'no-such-port'" in done.stderr
