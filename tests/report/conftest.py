"""A conductor that hangs, as four nodes of a Debian 12 (Zed) cloud showed it: the texts are the recorded ones."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from stackdoctor.diagnose.outcomes import Outcomes
from stackdoctor.diagnose.silence import Silenced
from stackdoctor.inventory.ignore import Ignore
from stackdoctor.model import Diagnosis, Evidence, Finding, Fix, Severity
from stackdoctor.report.report import NodeLine, NotChecked, Report

STARTED = 1795369839.135  # 2026-11-22 17:50:39Z

QUEUES = Evidence(
    "controller",
    "rabbitmqctl list_queues name messages_ready messages_unacknowledged messages consumers memory state",
    "conductor\t0\t9\t9\t1\t164704\trunning",
)
PROCESS = Evidence(
    "controller",
    "ps -eo pid,ppid,user:20,stat,lstart,etimes,pcpu,pmem,rss,nlwp,wchan:24,args -ww",
    "  39567       1 nova                 Ts   Sun Nov 22 17:48:19 2026     140  2.6  0.5 142792   1 do_signal_stop"
    "           /usr/bin/python3 /usr/bin/nova-conductor --config-file=/etc/nova/nova.conf"
    " --log-file=/var/log/nova/nova-conductor.log",
)
LOST = (
    Evidence(
        "compute1",
        "/var/log/nova/nova-compute.log:1",
        "2026-11-22 17:50:32.284 879 WARNING nova.servicegroup.drivers.db [-] Lost connection to nova-conductor for"
        " reporting service status.: oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to"
        " message ID 06f8c4a18a2946d1abf5ed50cb3422e8",
    ),
    Evidence(
        "compute2",
        "/var/log/nova/nova-compute.log:1",
        "2026-11-22 17:50:32.334 840 WARNING nova.servicegroup.drivers.db [-] Lost connection to nova-conductor for"
        " reporting service status.: oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to"
        " message ID 14a567d9704643d2a81d7135af2a2ccc",
    ),
)
_PREFIX = "2026-11-22 17:50:42.286 879 ERROR oslo_service.periodic_task "
TRACEBACK = Evidence(
    "compute1",
    "/var/log/nova/nova-compute.log:3",
    "\n".join(
        (
            _PREFIX + "[None req-4b0ae613-0cd4-4cad-ac0d-f62dedc5e42c - - - - - -] Error during ComputeManager."
            "_cleanup_incomplete_migrations: oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply"
            " to message ID 71c2a89413b44c228f1a5dad839c6efe",
            _PREFIX + "Traceback (most recent call last):",
            _PREFIX + '  File "/usr/lib/python3/dist-packages/oslo_messaging/_drivers/amqpdriver.py", line 441, in get',
            _PREFIX + "    return self._queues[msg_id].get(block=True, timeout=timeout)",
            _PREFIX + "oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to message ID"
            " 71c2a89413b44c228f1a5dad839c6efe",
        )
    ),
)
SERVICES = Evidence(
    "controller",
    "GET /v2.1/os-services",
    '{"binary": "nova-compute", "host": "compute1", "status": "enabled", "state": "down",'
    ' "updated_at": "2026-11-22T17:50:17.000000"}',
)

BACKLOG = Finding(
    "conductor",
    "conductor holds 9 messages that its only consumer took and never acknowledged",
    node="controller",
    id="rabbitmq.queue.unacknowledged",
    severity=Severity.ERROR,
    evidence=QUEUES,
    topic="conductor",
    consumers=1,
)
STOPPED = Finding(
    "nova-conductor (39567)",
    "nova-conductor (pid 39567) is stopped by a signal: state T, waits in do_signal_stop",
    node="controller",
    id="process.stopped",
    severity=Severity.CRITICAL,
    evidence=PROCESS,
    service="nova-conductor",
    host="controller",
    pid=39567,
)
TIMEOUTS = tuple(
    Finding(
        "nova-compute",
        f"nova-compute timed out waiting for a reply {number} time(s)",
        node=node,
        id="log.messaging-timeout",
        severity=Severity.ERROR,
        evidence=evidence,
        first=1795369832.284,
        last=last,
        count=number,
        service="nova-compute",
        host=node,
    )
    for node, number, last, evidence in (
        ("compute1", 2, 1795369842.286, (LOST[0], TRACEBACK)),
        ("compute2", 1, 1795369832.334, (LOST[1],)),
    )
)
DOWN = tuple(
    Finding(
        f"{service} on {host}",
        f"{service} on {host} is down: its last report came at 17:50:17Z",
        id="nova.service.down",
        severity=Severity.ERROR,
        evidence=SERVICES,
        service=service,
        host=host,
    )
    for service, host in (("nova-conductor", "controller"), ("nova-compute", "compute1"), ("nova-compute", "compute2"))
)
DUPLICATE = Finding(
    "10.10.0.189",
    "10.10.0.189 is answered by fa:16:3e:1c:77:97 and by fa:16:3e:e6:a9:90",
    node="compute2",
    id="network.address.duplicate",
    severity=Severity.ERROR,
    evidence=Evidence("compute2", "ip -s neigh", "10.10.0.189 dev brq8af4f28b-a6 lladdr fa:16:3e:e6:a9:90 STALE"),
    last=1795369800.0,
)
STALE = Finding(
    "reply_2786fed7560d4a3d8e62aa1cf6eb8055",
    "reply_2786fed7560d4a3d8e62aa1cf6eb8055 is left over from a process that has gone",
    node="controller",
    id="rabbitmq.queue.stale",
    severity=Severity.INFO,
)
CLOCK = Finding("compute2", "the clock is 37 s ahead", node="compute2", id="clock.offset", severity=Severity.WARNING)

HUNG = Diagnosis(
    cause="rpc-consumer-hung",
    title="nova-conductor on controller is running but answers no RPC",
    severity=Severity.CRITICAL,
    confidence=0.974,
    where={"host": "controller", "service": "nova-conductor"},
    why="The queue has a consumer that takes messages and never acknowledges or answers them: RabbitMQ delivers to"
    " the open connection of a process that does not run. Callers give up after rpc_response_timeout.\n",
    chain=(
        "nova-conductor (pid 39567) on controller is stopped by a signal",
        "9 messages of the queue conductor are delivered and never acknowledged",
        "nova-compute on compute1 and compute2 times out waiting for a reply",
        "their services count as down, and the scheduler passes them over",
    ),
    explains=(STOPPED, BACKLOG, *TIMEOUTS, *DOWN),
    evidence=(PROCESS, QUEUES, LOST[0], TRACEBACK, LOST[1], SERVICES),
    confirm=(
        "ps -o pid,stat,wchan:24,args -p 39567",
        "rabbitmqctl list_queues name messages_ready messages_unacknowledged consumers | grep -w conductor",
    ),
    fix=(
        Fix("cat /proc/39567/stack", "read-only", "controller"),
        Fix("kill -CONT 39567", "restart", "controller"),
        Fix("systemctl restart nova-conductor", "restart", "controller"),
    ),
    unchecked=("rabbitmq.alarm on controller: rabbitmq-diagnostics check_alarms: timed-out",),
    refs=("https://docs.openstack.org/oslo.messaging/latest/admin/rabbit.html",),
)

NODES = (
    NodeLine("controller", "192.168.199.10", "ok", "", 4.1, frozenset({"control", "network"}), 0.01),
    NodeLine("compute1", "192.168.199.20", "ok", "", 2.2, frozenset({"compute"}), 0.02),
    NodeLine("compute2", "192.168.199.21", "ok", "", 2.3, frozenset({"compute"}), 37.2),
    NodeLine("storage", "192.168.199.30", "failed", "could not connect: timed out after 10 s", 10.0),
)


@pytest.fixture
def hung() -> Report:
    """One cause with its symptoms, something that it does not explain, a node that was not reached."""
    findings = (*HUNG.explains, DUPLICATE, STALE, CLOCK)
    return Report(
        version="0.1.0",
        started=STARTED,
        seconds=17.94,
        source="/var/tmp/cloud.tar.xz",
        nodes=NODES,
        diagnoses=(HUNG,),
        findings=findings,
        unexplained=(DUPLICATE, STALE, CLOCK),
        not_checked=(
            NotChecked("rabbitmq.alarm", "controller", "rabbitmq-diagnostics check_alarms: timed-out"),
            *(
                NotChecked(f"libvirt.domain.{what}", node, "virsh list: denied (sudo wants a password)")
                for node in ("compute1", "compute2")
                for what in ("paused", "crashed", "missing")
            ),
            NotChecked("iscsi.session.lost", "storage", "could not connect: timed out after 10 s"),
        ),
    )


@pytest.fixture
def eventful(hung: Report) -> Report:
    """The same, with a cause that is over, two things that are silenced and a rule that has expired."""
    rule = Ignore("clock.*", "", "NTP comes with the new switch", date(2027, 1, 31), node="compute2", origin="c.yaml:7")
    other = Ignore("", "rmq-memory-alarm", "it is a test broker", date(2027, 1, 31), origin="c.yaml:9")
    alarm = dataclasses.replace(
        HUNG,
        cause="rmq-memory-alarm",
        title="RabbitMQ on controller uses more memory than its watermark allows",
        state="recovered",
        episodes=((STARTED - 600, STARTED - 300),),
        explains=(DUPLICATE,),
    )
    held = dataclasses.replace(HUNG, episodes=((STARTED - 100, STARTED),))
    return dataclasses.replace(
        hung,
        diagnoses=(held,),
        findings=tuple(f for f in hung.findings if f not in (CLOCK, DUPLICATE)),
        unexplained=(STALE,),
        history=(alarm,),
        silenced=(Silenced(rule, (CLOCK,)), Silenced(other, (DUPLICATE,), alarm)),
        expired=(dataclasses.replace(rule, until=date(2026, 1, 31)),),
        outcomes=(Outcomes(("a.b", "a.c"), ("controller",), ("compute1",), ("storage",), ("",)),),
        at=STARTED - 10,
    )


@pytest.fixture
def healthy() -> Report:
    """Nothing wrong, everything looked at."""
    nodes = tuple(NodeLine(node.name, node.address, "ok", "", 2.0, node.roles) for node in NODES)
    return Report(version="0.1.0", started=STARTED, seconds=4.2, nodes=nodes)
