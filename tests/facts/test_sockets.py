from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.sockets import Socket, Sockets
from stackdoctor.model import Node, NodeResults, Result

SAMPLES = Path(__file__).parent / "samples"
(PROBE,) = Sockets.probes

SS = (SAMPLES / "ss-tnap.txt").read_text()
SS_LISTENING = (SAMPLES / "ss-lntup.txt").read_text()

OLD_SS = """State      Recv-Q Send-Q        Local Address:Port          Peer Address:Port
LISTEN     0      128                      *:22                       *:*      users:(("sshd",1234,3))
ESTAB      0      0         ::ffff:10.0.0.5:5672        ::ffff:10.0.0.7:42712  users:(("beam.smp",777,44))
TIME-WAIT  0      0               127.0.0.1:35357             127.0.0.1:59998
"""
NETSTAT = """Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State       PID/Program name
tcp        0      0 0.0.0.0:22              0.0.0.0:*               LISTEN      291/sshd: /usr/sbin
tcp        0      1 192.168.199.20:33784    192.168.199.10:5672     SYN_SENT    879/python3
tcp        0      0 192.168.199.20:33790    192.168.199.10:5672     TIME_WAIT   -
tcp6       0      0 :::80                   :::*                    LISTEN      -
udp        0      0 0.0.0.0:8472            0.0.0.0:*                           -
udp        0      0 192.168.199.20:40112    192.168.199.1:53        ESTABLISHED 641/resolver
udp        0      0 127.0.0.1:323           0.0.0.0:*                           643/chronyd
"""


def said(text: str) -> NodeResults:
    return NodeResults(Node("compute1"), {(PROBE.id, ""): Result(PROBE.id, "ss -tuanpo", stdout=text.encode())})


def answered(tcp: str, listening: str) -> NodeResults:
    """As snapshots have it that were taken before one question was enough."""
    both = (
        Result("sockets.tcp", "ss -tnap", stdout=tcp.encode()),
        Result("sockets.listening", "ss -lntup", stdout=listening.encode()),
    )
    return NodeResults(Node("compute1"), {(result.probe, ""): result for result in both})


def test_one_answer_tells_who_is_connected_and_who_listens() -> None:
    sockets = Sockets.parse(
        said(
            "Netid State    Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\n"
            'udp   UNCONN   0 0 *:8472 *:* users:(("vxlan",pid=7,fd=4))\n'
            "udp   ESTAB    0 0 198.51.100.21:40112 198.51.100.1:53\n"
            'tcp   LISTEN   3 0 [::]:5672 [::]:* users:(("beam.smp",pid=9,fd=44))\n'
            "tcp   SYN-SENT 0 1 198.51.100.21:38500 198.51.100.10:5672 timer:(on,340ms,1)\n"
        )
    )
    assert [str(socket) for socket in sockets.connections] == ["tcp 198.51.100.21:38500 -> 198.51.100.10:5672"]
    assert [(s.protocol, s.local_port, s.recv_q) for s in sockets.listeners] == [("udp", 8472, 0), ("tcp", 5672, 3)]


def test_a_node_that_was_lost_says_why() -> None:
    with pytest.raises(CouldNotCheck, match="no route"):
        Sockets.parse(NodeResults(Node("compute1"), failure="no route to host"))


def test_a_connection_that_nobody_answers_is_found() -> None:
    sockets = Sockets.parse(answered(SS, SS_LISTENING))
    ((peer, (first, second)),) = sockets.unanswered(5672).items()
    assert peer == ("192.168.199.10", 5672)
    assert (first.peer, first.peer_port, first.program, first.pids) == ("192.168.199.10", 5672, "nova-compute", (879,))
    assert sockets.to_port(5672) == (first, second)
    assert str(first) == "tcp 192.168.199.20:33784 -> 192.168.199.10:5672"
    assert first.evidence.line.startswith("SYN-SENT   0      1      192.168.199.20:33784")


def test_how_often_a_connection_has_sent_again_is_read_from_its_timer() -> None:
    shown = (
        "State Recv-Q Send-Q Local Address:Port  Peer Address:Port Process\n"
        'ESTAB      0 16   198.51.100.21:38500 198.51.100.10:5672 users:(("n",pid=20,fd=4)) timer:(on,340ms,1)\n'
        'ESTAB      0 0    198.51.100.21:38504 198.51.100.10:5672 users:(("n",pid=20,fd=5)) timer:(keepalive,17sec,0)\n'
        "FIN-WAIT-1 0 1107 198.51.100.21:38514 198.51.100.10:5672 timer:(persist,1.500ms,3)\n"
        'ESTAB      0 8    198.51.100.21:38516 198.51.100.9:5672  users:(("n",pid=20,fd=6)) timer:(on,1min4sec,12)\n'
        "ESTAB      0 8    198.51.100.21:38518 198.51.100.10:5672 timer:(persist,,0)\n"
    )
    sockets = Sockets.parse(answered(shown, SS_LISTENING))
    assert [socket.retries for socket in sockets.connections] == [1, 0, 3, 12, 0]
    assert {peer: [s.local_port for s in found] for peer, found in sockets.unanswered(5672).items()} == {
        ("198.51.100.10", 5672): [38514],
        ("198.51.100.9", 5672): [38516],
    }
    assert sockets.connections[0].pids == (20,)
    assert (sockets.alive(5672), sockets.alive(5672, "198.51.100.10")) == (True, True)
    assert (sockets.alive(5672, "198.51.100.9"), sockets.alive(5671)) == (False, False)


def test_bytes_that_the_program_does_not_read_are_seen() -> None:
    (closing,) = [s for s in Sockets.parse(answered(SS, SS_LISTENING)) if s.state == "CLOSE-WAIT"]
    assert (closing.recv_q, closing.send_q, closing.peer_port) == (1, 0, 9696)


def test_listening_sockets_are_found_by_port() -> None:
    sockets = Sockets.parse(answered(SS, SS_LISTENING))
    (broker,) = sockets.listening(5672)
    assert (broker.local, broker.program, broker.peer_port) == ("192.168.199.10", "beam.smp", 0)
    (keystone, proxied) = sorted(sockets.listening(5000), key=lambda socket: socket.program, reverse=True)
    assert (keystone.program, keystone.pids) == ("uwsgi_python311", (1745, 1744, 1721))
    assert proxied.program == "haproxy"
    assert sockets.listening(8472) == ()
    assert sockets.listening(8472, "udp")[0].state == "UNCONN"


def test_each_listening_socket_is_there_once() -> None:
    sockets = Sockets.parse(answered(SS, SS_LISTENING))
    assert not [socket for socket in sockets.connections if socket.state == "LISTEN"]


def test_what_concerns_other_hosts_is_what_listens_and_what_goes_out_to_them() -> None:
    pairs = ("10.0.0.5:48892 10.0.0.9:3260", "10.0.0.5:22 10.0.0.7:50022", "[::1]:40000 [::1]:11211")
    tcp = OLD_SS + "".join(f"ESTAB 0 0 {pair}\n" for pair in pairs)
    sockets = Sockets.parse(answered(tcp, SS_LISTENING.replace(":5672 ", ":5671 ") + "tcp LISTEN 0 9 *:5672 *:*\n"))
    away = sockets.for_the_cloud()
    assert [str(socket) for socket in away.connections] == ["tcp 10.0.0.5:48892 -> 10.0.0.9:3260"]
    assert away.listeners == sockets.listeners


def test_the_form_of_older_ss_is_read() -> None:
    sockets = Sockets.parse(answered(OLD_SS, SS_LISTENING))
    (established,) = sockets.connections
    assert (established.local, established.peer, established.peer_port) == ("10.0.0.5", "10.0.0.7", 42712)
    assert (established.program, established.pids) == ("beam.smp", (777,))


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed")
def test_a_real_ss_shows_who_waits_for_an_answer_and_whom_the_peer_has_left() -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = full.getsockname()[1]
        for _ in range(4):  # a full queue takes no further one
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        left = stack.enter_context(socket.create_connection(server.getsockname()))
        server.accept()[0].close()
        assert left.recv(1) == b""
        left_port: int = left.getsockname()[1]
        datagrams = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        datagrams.bind(("::1", 0))
        shown = subprocess.run(PROBE.argv, capture_output=True, check=True, text=True).stdout
        own, udp_port = os.getpid(), datagrams.getsockname()[1]
    sockets = Sockets.parse(said(shown))
    assert "SYN-SENT" in {c.state for c in sockets.connections if c.peer_port == port}
    assert "CLOSE-WAIT" in {c.state for c in sockets.connections if c.local_port == left_port}
    assert [s.pids for s in (*sockets.listening(port), *sockets.listening(udp_port, "udp"))] == [(own,), (own,)]


def test_netstat_says_the_same_in_its_own_words() -> None:
    sockets = Sockets.parse(said(NETSTAT))
    (waiting,) = sockets.connections
    assert (waiting.state, waiting.peer_port, waiting.program, waiting.pids, waiting.send_q) == (
        "SYN-SENT",
        5672,
        "python3",
        (879,),
        1,
    )
    ssh: Socket = sockets.listening(22)[0]
    assert (ssh.pids, ssh.program) == ((291,), "sshd: /usr/sbin")
    assert [(s.state, s.program, s.pids) for s in sockets.listening(8472, "udp")] == [("UNCONN", "", ())]
    assert sockets.listening(323, "udp")[0].pids == (643,)


def test_without_the_right_to_see_them_programs_are_empty() -> None:
    bare = (
        "State  Recv-Q Send-Q  Local Address:Port     Peer Address:Port Process\nESTAB  0 0 192.0.2.1:22 192.0.2.2:5\n"
    )
    (socket,) = Sockets.parse(answered(bare, SS_LISTENING)).connections
    assert (socket.program, socket.pids) == ("", ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Netid State Recv-Q\n",
        SS.splitlines()[0] + "\nESTAB 0 0 192.0.2.1:22\n",
        SS.splitlines()[0] + "\nHALF-OPEN 0 0 192.0.2.1:22 192.0.2.2:5\n",
        SS.splitlines()[0] + "\nESTAB 0 0 192.0.2.1:ssh 192.0.2.2:5\n",
        NETSTAT.splitlines()[1] + "\ntcp 0 0 a:1\n",
    ],
)
def test_another_format_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Sockets.parse(answered(text, SS_LISTENING))
