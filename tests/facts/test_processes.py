from __future__ import annotations

from pathlib import Path

import pytest

from stackdoctor.errors import CouldNotCheck, ParseError
from stackdoctor.facts.processes import Processes
from stackdoctor.model import Node, NodeResults, Result, Status

PS = (Path(__file__).parent / "samples" / "ps.txt").read_text()
(PROBE,) = Processes.probes

OLD = """  PID  PPID USER     STAT                  STARTED     ELAPSED %CPU %MEM   RSS NLWP WCHAN  COMMAND
    1     0 root     Ss   Mon Aug 21 09:12:44 2017  5-03:59:58  0.0  0.1  4184    1 ep_pol /sbin/init
  812     2 root     D    Mon Aug 21 09:12:50 2017       02:05  0.0  0.0     0    1 wait_o [nfsv4.0-svc]
 2231     1 nova     Z    Sat Aug 26 13:02:11 2017    00:10:31  0.3  0.0     0    - -      [nova-compute] <defunct>
"""


def answered(text: str, status: Status = Status.RAN) -> NodeResults:
    return NodeResults(
        Node("controller"), {(PROBE.id, ""): Result(PROBE.id, "ps", stdout=text.encode(), status=status)}
    )


def test_a_process_stopped_by_a_signal_is_seen() -> None:
    (conductor,) = Processes.parse(answered(PS)).of("nova-conductor")
    assert (conductor.pid, conductor.ppid, conductor.user, conductor.age) == (39567, 1, "nova", 140)
    assert (conductor.stat, conductor.wchan, conductor.rss, conductor.threads) == ("Ts", "do_signal_stop", 142792, 1)
    assert conductor.cpu == 2.6
    assert conductor.stopped
    assert not conductor.uninterruptible
    assert not conductor.zombie
    assert str(conductor) == "nova-conductor[39567]"
    assert conductor.evidence.line.startswith("  39567       1 nova                 Ts ")


def test_all_processes_of_a_service_are_found() -> None:
    processes = Processes.parse(answered(PS))
    counts = {
        name: len(processes.of(name)) for name in ("neutron-server", "rabbitmq-server", "mysql", "keystone", "epmd")
    }
    assert counts == {"neutron-server": 5, "rabbitmq-server": 1, "mysql": 1, "keystone": 3, "epmd": 1}
    server = processes.get(27163)
    assert server is not None
    assert server.args.endswith("--log-file /var/log/neutron/neutron-server.log")
    assert processes.get(4) is None


def test_what_concerns_other_hosts_are_the_services() -> None:
    row = " %d 1 root S Mon Aug 21 09:12:44 2017 60 0.0 0.1 4184 1 - %s\n"
    own = row % (901, "/usr/bin/qemu-system-x86_64 -name guest=vm") + row % (902, "sshd: admin@pts/0")
    processes = Processes.parse(answered(PS + own))
    away = processes.for_the_cloud()
    assert 0 < len(away.rows) < len(processes.rows)
    assert all(away.of(process.service) == processes.of(process.service) for process in away)
    left = {process.service for process in processes} - {process.service for process in away}
    assert left == {"", "sshd", "qemu"}


def test_the_form_of_older_programs_is_read() -> None:
    init, waiting, dead = Processes.parse(answered(OLD))
    assert init.age == 5 * 86400 + 3 * 3600 + 59 * 60 + 58
    assert waiting.uninterruptible
    assert waiting.age == 125
    assert dead.zombie
    assert dead.threads == 1


def test_a_command_line_may_be_empty() -> None:
    line = "    7       2 root                 I<   Sun Nov 22 16:04:37 2026    6362  0.0  0.0     0    1 -"
    (process,) = Processes.parse(answered(PS.splitlines()[0] + "\n" + line + "\n"))
    assert (process.args, process.service, process.wchan) == ("", "", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PID TTY TIME CMD\n",
        PS.splitlines()[0] + "\n  1 0 root Ss Sun Nov\n",
        PS.splitlines()[0] + "\n  x 0 root Ss Sun Nov 22 16:04:37 2026 1 0 0 0 1 - a\n",
    ],
)
def test_another_format_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        Processes.parse(answered(text))


def test_a_list_that_was_cut_is_not_all_of_it() -> None:
    with pytest.raises(CouldNotCheck, match="cut"):
        Processes.parse(answered(PS, Status.TRUNCATED))
