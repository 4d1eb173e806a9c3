"""The one list of commands that can ever be sent to a node, and why each changes nothing there.

Words are compared one by one.  ``{each}`` stands for the element of a list that the node gave itself, and a
last word ``...`` for any further words, where none of them can make the program write.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from stackdoctor.collect.statements import READ_ONLY, STATEMENTS
from stackdoctor.errors import UsageError
from stackdoctor.model import Probe

__all__ = ["ALLOWED", "ALLOWED_BY_ITSELF", "is_allowed", "refuse_unlisted"]

BY_CONSENT = "only with --database: a SELECT in a session that is read only, through the node's own client"
SHOWS = "shows kernel or program state; without a verb that changes it"

ALLOWED: tuple[tuple[str, str], ...] = (
    ("brctl show", SHOWS),
    ("bridge -d link", SHOWS),
    ("bridge -j -d link", SHOWS),
    ("bridge fdb show", SHOWS),
    ("bridge -j fdb show", SHOWS),
    ("chronyc -h 127.0.0.1 -n -c tracking", "asks chronyd over UDP; through its socket chronyc would make one in /run"),
    ("chronyc -h 127.0.0.1 -n -c sources", "asks chronyd over UDP; through its socket chronyc would make one in /run"),
    ("cibadmin --query --xpath \"//primitive[@type='IPaddr2']\"", "reads a part of the cluster's configuration"),
    ("corosync-cfgtool -s", "shows the state of the cluster's links"),
    ("corosync-quorumtool -s", "shows the state of the quorum"),
    ("crm_mon -1 --output-as=xml", "prints the cluster's state once"),
    ("crm_mon -1 --as-xml", "prints the cluster's state once"),
    ("df ...", "reads statfs(2) of mounted file systems"),
    ("docker ps ...", "lists containers"),
    ("podman ps ...", "lists containers"),
    (
        "env PROC_ROOT=/proc ss -tuanpo exclude time-wait exclude syn-recv",
        "reads /proc/net; over netlink it could load tcp_diag",
    ),
    ("getconf _NPROCESSORS_ONLN", SHOWS),
    ("grep --version", "tells GNU grep from others"),
    ("grep -m 1 ^flags /proc/cpuinfo", SHOWS),
    ("ip addr", SHOWS),
    ("ip -j addr", SHOWS),
    ("ip -d -s link", SHOWS),
    ("ip -j -d -s link", SHOWS),
    ("ip -s neigh", SHOWS),
    ("ip -s -j neigh", SHOWS),
    ("ip rule", SHOWS),
    ("ip -j rule", SHOWS),
    ("ip route show table all", SHOWS),
    ("ip -j route show table all", SHOWS),
    ("ip netns", SHOWS),
    ("ip netns list", SHOWS),
    ("ip netns pids {each}", SHOWS),
    ("ip netns exec {each} ip addr", SHOWS),
    ("ip netns exec {each} ip -j addr", SHOWS),
    ("ip netns exec {each} ip -d -s link", SHOWS),
    ("ip netns exec {each} ip -j -d -s link", SHOWS),
    ("ip netns exec {each} ip -s neigh", SHOWS),
    ("ip netns exec {each} ip -s -j neigh", SHOWS),
    ("ip netns exec {each} ip rule", SHOWS),
    ("ip netns exec {each} ip -j rule", SHOWS),
    ("ip netns exec {each} ip route show table all", SHOWS),
    ("ip netns exec {each} ip -j route show table all", SHOWS),
    ("ip netns exec {each} env PROC_ROOT=/proc ss -lntup", "reads /proc/net; over netlink it could load tcp_diag"),
    ("ip netns exec {each} iptables-save", SHOWS),
    ("ip netns exec {each} iptables-save -c", SHOWS),
    ("ip netns exec {each} ip6tables-save", SHOWS),
    ("ip netns exec {each} ip6tables-save -c", SHOWS),
    ("iptables-save", SHOWS),
    ("iptables-save -c", SHOWS),
    ("iptables-legacy-save -c", SHOWS),
    ("ip6tables-save", SHOWS),
    ("ip6tables-save -c", SHOWS),
    ("ip6tables-legacy-save -c", SHOWS),
    ("ipset save", "prints sets to standard output"),
    ("iscsiadm -m session -P 3", "lists sessions"),
    ("ls ...", "lists a directory"),
    ("lvs --nolocking --nohints ...", "reports logical volumes; otherwise it would write locks and hints in /run"),
    ("vgs --nolocking --nohints ...", "reports volume groups; otherwise it would write locks and hints in /run"),
    ("lvs --config global{locking_type=0} ...", "reports logical volumes, in the older way to take no lock"),
    ("vgs --config global{locking_type=0} ...", "reports volume groups, in the older way to take no lock"),
    ("md5sum /etc/swift/{each}", "reads a file"),
    ("multipath -ll", "lists multipath devices"),
    ("mysql --batch --connect-timeout=5 -e {show}", "statements that begin with SHOW, through the node's own client"),
    *(
        (f"mysql --batch --connect-timeout=5 {shlex.quote(READ_ONLY)} -e {shlex.quote(statement)}", BY_CONSENT)
        for statement in STATEMENTS.values()
    ),
    ("netstat -tuanp", SHOWS),
    ("nproc", SHOWS),
    ("ntpq -pn", "lists the peers of ntpd"),
    ("ovs-appctl --timeout=5 bond/show", SHOWS),
    ("ovs-ofctl --timeout=10 dump-flows {each}", "asks a bridge for its flows"),
    ("ovs-vsctl --dry-run --no-wait --timeout=5 --format=json -- ...", "--dry-run: no transaction can change anything"),
    ("ovs-vsctl --dry-run --no-wait --timeout=5 list-br", "--dry-run: no transaction can change anything"),
    ("ps ...", "lists processes"),
    ("rabbitmqctl -q list_vhosts ...", "lists"),
    ("rabbitmqctl -q list_queues ...", "lists"),
    ("rabbitmqctl -q list_consumers ...", "lists"),
    ("rabbitmqctl -q list_connections ...", "lists"),
    ("rabbitmqctl -q list_channels ...", "lists"),
    ("rabbitmqctl -q list_policies ...", "lists"),
    ("rabbitmqctl -q status ...", "reports the broker's state"),
    ("rabbitmqctl -q cluster_status ...", "reports the cluster's state"),
    ("systemctl show ...", "prints properties of units"),
    ("tgtadm --lld iscsi --mode target --op show", "lists targets"),
    ("uname ...", SHOWS),
    ("virsh -r -c qemu:///system list ...", "a read-only connection to libvirt"),
    ("virsh -r -c qemu:///system dumpxml {each}", "a read-only connection to libvirt"),
)

ALLOWED_BY_ITSELF: tuple[tuple[str, str], ...] = (
    ("env NAME=VALUE ...", "sets the variables of ALLOWED_ENV for a listed command"),
    ("sudo -n true", "asks whether sudo wants a password"),
    ("sudo -n -- ...", "a listed command that needs root"),
    ("sudo -n -- cat FILE", "a file that a probe asks for"),
    ("sudo -n -- python3 -IS -c ...", "this agent again, for the logs and the openrc that the login may not read"),
    ("python3 -IS -c ...", "this agent again, to read the APIs with the credentials that lie on a controller"),
    ("sudo -n kill -SIGNAL -- -GROUP", "ends a command of its own that has run out of time"),
    ("docker exec NAME ...", "a listed command, in the container where its program is"),
    ("podman exec NAME ...", "a listed command, in the container where its program is"),
    ("grep -E -a -b -f /dev/fd/N", "the log scan; it reads standard input"),
)
"""What the node agent runs besides, or puts in front of a listed command."""

ALLOWED_ENV = frozenset(("ERL_CRASH_DUMP_SECONDS", "ERL_FLAGS"))
"""The variables that a probe may set for its command: they keep rabbitmqctl from leaving anything behind."""

_FORMS = tuple((shlex.split(form), why) for form, why in ALLOWED)


def is_allowed(argv: Sequence[str]) -> bool:
    """Whether ``argv`` is one of the listed commands."""
    return any(_fits(form, argv) for form, _ in _FORMS)


def _fits(form: Sequence[str], argv: Sequence[str]) -> bool:
    if form[-1] == "...":
        return list(argv[: len(form) - 1]) == list(form[:-1])
    return len(form) == len(argv) and all(_word_fits(word, given) for word, given in zip(form, argv, strict=True))


def _word_fits(word: str, given: str) -> bool:
    if word == "{show}":
        return given.upper().startswith("SHOW ") and ";" not in given
    return word == given


def commands_of(probe: Probe) -> Iterator[tuple[str, ...]]:
    """Every command that ``probe`` can send."""
    if probe.argv:
        yield probe.argv
    yield from probe.otherwise
    if probe.each is not None:
        yield probe.each.argv


def refuse_unlisted(probes: Iterable[Probe]) -> None:
    """Raises UsageError for a probe with a command outside the list."""
    for probe in probes:
        for name, _ in probe.env:
            if name not in ALLOWED_ENV:
                raise UsageError(f"probe {probe.id} sets {name}, which no command here needs; nothing was sent")
        for argv in commands_of(probe):
            if not is_allowed(argv):
                raise UsageError(
                    f"probe {probe.id} asks for `{shlex.join(argv)}`, which is not in the list of read-only commands"
                    " (stackdoctor/collect/allowed.py); nothing was sent"
                )
