"""The report for a reader, as text."""

from __future__ import annotations

import dataclasses
import io
import re
import subprocess
import sys

import pytest
from rich.cells import cell_len
from rich.console import Console

from stackdoctor.model import Diagnosis, Evidence, Finding, Fix, Severity
from stackdoctor.report.report import NodeLine, NotChecked, Report
from stackdoctor.report.terminal import render

HOSTILE = "\x1b]0;owned\x07\x9b31m \u202egpj [bold]loud[/bold] :bomb: [link=http://192.0.2.1]x\x00"


def shown(report: Report, width: int = 80, verbose: bool = False) -> str:
    out = io.StringIO()
    render(report, Console(file=out, width=width, force_terminal=False), verbose=verbose)
    return out.getvalue()


def section(text: str, title: str) -> list[str]:
    """The lines beneath ``title``, without its indentation, to the next blank line."""
    beneath = text.split(f"{title}\n", 1)[1].split("\n\n", 1)[0]
    return [line.strip() for line in beneath.splitlines()]


def one(report: Report, **changes: object) -> Report:
    """The report with its first diagnosis changed."""
    return dataclasses.replace(report, diagnoses=(dataclasses.replace(report.diagnoses[0], **changes),))


def test_the_verdict_comes_first_then_the_proof_the_way_out_and_what_is_not_known(hung: Report):
    text = shown(hung)
    order = [
        "1 root cause found",
        "CRITICAL  nova-conductor on controller is running but answers no RPC",
        "certain 97 %",
        "The queue has a consumer",
        "→ 9 messages",
        "  Evidence",
        "  Explains",
        "  Confirm",
        "  Fix",
        "  Could not be excluded",
        "Unexplained",
        "Also seen",
        "Not looked at",
        "4 nodes (1 failed) in 17.9 s",
    ]
    places = [text.index(title) for title in order]
    assert places == sorted(places)
    assert text.startswith(order[0])


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_is_wider_than_the_terminal_but_what_is_copied(hung: Report, healthy: Report, width, verbose):
    copied = {*hung.diagnoses[0].confirm, *(step.do for step in hung.diagnoses[0].fix), *hung.diagnoses[0].refs}
    for report in (hung, healthy):
        for line in shown(report, width, verbose).splitlines():
            assert cell_len(line) <= width or line.strip() in copied
            assert line == line.rstrip()


def test_commands_stay_in_one_piece_however_narrow_the_terminal(hung: Report):
    lines = [line.strip() for line in shown(hung, 40).splitlines()]
    for command in (*hung.diagnoses[0].confirm, *(step.do for step in hung.diagnoses[0].fix)):
        assert command in lines


def test_evidence_names_node_and_source_and_quotes_the_line_beneath(hung: Report):
    text = shown(hung, 140)
    assert (
        "    controller: rabbitmqctl list_queues name messages_ready messages_unacknowledged messages consumers"
        " memory state\n"
        "    │ conductor       0       9       9       1       164704  running\n"
    ) in text
    assert "    compute1: /var/log/nova/nova-compute.log:1\n    │ 2026-11-22 17:50:32.284 879 WARNING" in text


def test_symptoms_of_one_kind_are_one_line(hung: Report):
    symptoms = section(shown(hung), "Explains")
    assert "3 × log.messaging-timeout on compute1, compute2, last 17:50:42Z" in symptoms
    assert symptoms[0].startswith("process.stopped on controller: nova-conductor (pid 39567) is stopped by a")


def test_fix_steps_carry_their_risk_and_where(hung: Report):
    assert section(shown(hung), "Fix") == [
        "read-only, on controller:",
        "cat /proc/39567/stack",
        "restart, on controller:",
        "kill -CONT 39567",
        "systemctl restart nova-conductor",
    ]


def test_five_lines_of_evidence_are_shown_and_the_others_counted_until_asked_for(hung: Report):
    many = one(hung, evidence=tuple(Evidence("compute1", "/var/log/syslog", f"word{'x' * n}") for n in range(30)))
    assert sum(line.startswith("│ word") for line in section(shown(many), "Evidence")) == 5
    assert "… and 25 more lines (--verbose)" in shown(many)
    assert sum(line.startswith("│ word") for line in section(shown(many, verbose=True), "Evidence")) == 30


def test_a_traceback_is_its_first_line_and_its_error_until_asked_for(hung: Report):
    record = "\n".join(["ERROR x Traceback:", *(f"  File {n}" for n in range(40)), "ERROR x KeyError: 'port'"])
    traced = one(hung, evidence=(Evidence("compute1", "nova-compute.log:9", record),))
    assert section(shown(traced), "Evidence")[1:] == [
        "│ ERROR x Traceback:",
        "│ … (+40 lines)",
        "│ ERROR x KeyError: 'port'",
    ]
    assert "File 17" in shown(traced, verbose=True)


def test_what_no_cause_explains_is_shown_with_its_line(hung: Report):
    assert section(shown(hung), "Unexplained") == [
        "ERROR  network.address.duplicate on compute2, last 17:50:00Z",
        "10.10.0.189 is answered by fa:16:3e:1c:77:97 and by fa:16:3e:e6:a9:90",
        "compute2: ip -s neigh",
        "│ 10.10.0.189 dev brq8af4f28b-a6 lladdr fa:16:3e:e6:a9:90 STALE",
    ]


def test_warnings_and_notes_are_counts_until_asked_for(hung: Report):
    assert "Also seen: 1 warning (clock.offset), 1 note (rabbitmq.queue.stale) (--verbose)\n" in shown(hung)
    assert "WARNING  clock.offset on compute2" in section(shown(hung, verbose=True), "Also seen")


def test_what_was_not_looked_at_is_grouped_by_reason(hung: Report):
    assert section(shown(hung, 100), "Not looked at") == [
        "storage: could not connect: timed out after 10 s – nothing is known of it",
        "rabbitmq.alarm on controller: rabbitmq-diagnostics check_alarms: timed-out",
        "libvirt.* (3 checks) on compute1, compute2: virsh list: denied (sudo wants a password)",
    ]
    assert "libvirt.domain.crashed, libvirt.domain.missing, libvirt.domain.paused" in shown(hung, verbose=True)


def test_gaps_without_number_are_counted_until_asked_for(healthy: Report):
    gaps = tuple(NotChecked("iscsi.session.lost", f"compute{n}", f"timed out after {n} s") for n in range(40))
    patchy = dataclasses.replace(healthy, not_checked=gaps)
    assert section(shown(patchy), "Not looked at")[-1] == "… and 28 more gaps (--verbose)"
    assert len(section(shown(patchy, verbose=True), "Not looked at")) == 40


def test_several_causes_are_listed_before_the_first_is_told(hung: Report):
    second = dataclasses.replace(hung.diagnoses[0], title="vxlan-994 is down on compute2", severity=Severity.ERROR)
    text = shown(dataclasses.replace(hung, diagnoses=(*hung.diagnoses, second)))
    assert text.splitlines()[0].startswith("2 root causes found")
    assert (
        "\n  1  CRITICAL  nova-conductor on controller is running but answers no RPC\n"
        "  2  ERROR     vxlan-994 is down on compute2\n\n1  CRITICAL  nova-conductor"
    ) in text


def test_a_healthy_cloud_is_said_to_be_so_and_what_was_looked_at(healthy: Report):
    text = shown(healthy)
    assert text.startswith("No fault found on 4 nodes.\n")
    assert section(text, "Looked at") == ["controller (control, network)", "compute1, compute2 (compute)", "storage"]
    assert "Not looked at" not in text


def test_no_fault_is_claimed_of_no_node_that_did_not_answer(healthy: Report):
    nodes = (*healthy.nodes[:3], NodeLine("storage", status="failed", reason="permission denied (publickey)"))
    text = shown(dataclasses.replace(healthy, nodes=nodes), 120)
    assert text.startswith("No fault found on the 3 nodes that answer. Nothing is known of storage: see the end.\n")
    assert "storage" not in section(text, "Looked at")
    assert section(text, "Not looked at") == ["storage: permission denied (publickey) – nothing is known of it"]


def test_checks_that_were_not_made_are_part_of_the_verdict(healthy: Report):
    nodes = (
        dataclasses.replace(healthy.nodes[0], status="partial", reason="the budget of 60 s was used up"),
        healthy.nodes[1],
    )
    skipped = NotChecked("rabbitmq.alarm", "controller", "not-run")
    text = " ".join(shown(dataclasses.replace(healthy, nodes=nodes, not_checked=(skipped,))).split())
    assert "Only a part of controller was looked at, and 1 check could not be made: see the end." in text


def test_nothing_is_claimed_when_no_node_answered(healthy: Report):
    gone = tuple(
        dataclasses.replace(n, status="failed", reason="could not connect: no route to host") for n in healthy.nodes
    )
    text = shown(dataclasses.replace(healthy, nodes=gone))
    assert text.startswith("Nothing can be said: none of the 4 nodes gave anything.\n")
    assert "No fault" not in text
    assert "controller, compute1, compute2, storage: could not connect: no route to host" in text


def test_errors_without_a_cause_are_no_health(healthy: Report, hung: Report):
    text = shown(dataclasses.replace(healthy, findings=hung.unexplained, unexplained=hung.unexplained))
    assert text.startswith("No known cause fits: 1 finding unexplained.")


def test_warnings_are_part_of_a_healthy_verdict(healthy: Report, hung: Report):
    text = shown(dataclasses.replace(healthy, findings=hung.unexplained[1:], unexplained=hung.unexplained[1:]))
    assert text.startswith("No fault found on 4 nodes, but 1 warning.")


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("verbose", [False, True])
def test_text_from_a_node_is_printed_and_never_obeyed(verbose, color):
    evidence = Evidence(HOSTILE, HOSTILE, f"{HOSTILE}\n{HOSTILE}")
    finding = Finding(HOSTILE, HOSTILE, node=HOSTILE, id=HOSTILE, severity=Severity.ERROR, evidence=evidence, k=HOSTILE)
    minor = Finding(HOSTILE, HOSTILE, node=HOSTILE, id=f"{HOSTILE}.minor", severity=Severity.WARNING)
    cause = Diagnosis(
        cause=HOSTILE,
        title=HOSTILE,
        severity=Severity.ERROR,
        confidence=0.5,
        where={HOSTILE: HOSTILE},
        why=HOSTILE,
        chain=(HOSTILE, HOSTILE),
        explains=(Finding(HOSTILE, HOSTILE, id=HOSTILE), Finding(HOSTILE, HOSTILE, id=HOSTILE, node=HOSTILE)),
        evidence=(evidence,),
        confirm=(HOSTILE,),
        fix=(Fix(HOSTILE, HOSTILE, HOSTILE),),
        unchecked=(HOSTILE,),
        refs=(HOSTILE,),
    )
    report = Report(
        version=HOSTILE,
        started=0.0,
        seconds=1.0,
        source=HOSTILE,
        nodes=(
            NodeLine(HOSTILE, HOSTILE, "partial", HOSTILE, roles=frozenset({HOSTILE}), clock_offset=9.0),
            NodeLine(HOSTILE + "2", status="failed", reason=HOSTILE),
        ),
        diagnoses=(cause, cause),
        findings=(minor,),
        unexplained=(finding,),
        not_checked=(NotChecked(HOSTILE, HOSTILE, HOSTILE),),
    )
    out = io.StringIO()
    colours = "truecolor" if color else None
    render(report, Console(file=out, width=80, force_terminal=color, color_system=colours), verbose=verbose)
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) if color else out.getvalue()
    assert text.replace("\n", "").isprintable()
    for harmless in (r"\x1b]0;owned\x07\x9b31m", r"\u202egpj", "[bold]loud[/bold]", ":bomb:"):
        assert harmless in text
    assert "\x1b]" not in out.getvalue()


def test_a_command_with_a_hostile_name_in_it_stays_one_line(hung: Report):
    text = shown(one(hung, confirm=("rabbitmqctl x\nreboot",), fix=(Fix("systemctl restart x\rreboot", "restart"),)))
    assert section(text, "Confirm") == [r"rabbitmqctl x\nreboot"]
    assert section(text, "Fix") == ["restart:", r"systemctl restart x\rreboot"]


def test_a_terminal_without_utf8_gets_arrows_and_dashes_it_can_show(hung: Report):
    for encoding in ("ascii", "latin-1"):
        raw = io.BytesIO()
        out = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
        render(one(hung, title="Größe 仮"), Console(file=out, width=80, force_terminal=False))
        out.flush()
        text = raw.getvalue().decode(encoding)
        assert "   -> 9 messages" in text
        assert "    | conductor " in text
        assert ("Größe" in text) == (encoding == "latin-1")
        assert r"\u4eee" in text


def test_colour_adds_nothing_that_the_words_do_not_say(hung: Report, monkeypatch: pytest.MonkeyPatch):
    def coloured() -> str:
        out = io.StringIO()
        render(hung, Console(file=out, width=80, force_terminal=True, color_system="standard"))
        return out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    with_colour = coloured()
    monkeypatch.setenv("NO_COLOR", "1")
    without = coloured()
    assert "\x1b[1;31mCRITICAL" in with_colour
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", without)
    assert re.sub(r"\x1b\[[0-9;]*m", "", with_colour) == re.sub(r"\x1b\[[0-9;]*m", "", without) == shown(hung)


def test_a_thousand_failed_nodes_are_few_lines(healthy: Report):
    gone = tuple(NodeLine(f"compute{n}", status="failed", reason="could not connect: timed out") for n in range(1000))
    text = shown(dataclasses.replace(healthy, nodes=(*healthy.nodes, *gone)))
    assert len(text.splitlines()) < 20
    assert "compute5 and 994 more: could not connect: timed out" in " ".join(text.split())


def test_the_other_formats_do_not_load_the_terminal_library():
    forms = ("as_json", "as_yaml", "github", "markdown", "nagios", "prometheus", "runbook")
    modules = ", ".join(["stackdoctor.cli.diagnose", *(f"stackdoctor.report.{form}" for form in forms)])
    code = f"import sys, {modules}; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_over_comes_after_what_is_wrong_now_with_its_times(eventful: Report):
    text = shown(eventful, 120)
    assert section(text, "Earlier in this window") == [
        "17:40:39Z–17:45:39Z (recovered at 17:45:39Z)  RabbitMQ on controller uses more memory than its",
        "watermark allows",
    ]
    assert text.index("Fix") < text.index("Earlier in this window")
    assert text.startswith("As of 2026-11-22 17:50:29Z")
    assert "1 root cause found" in text
    assert "seen since 17:48:59Z" in text
    again = dataclasses.replace(
        eventful.history[0], state="flapping", episodes=((0.0, 9.0), (99.0, 108.0), (199.0, 208.0))
    )
    text = " ".join(shown(dataclasses.replace(eventful, history=(again,))).split())
    assert "(flapping: 3 times, recovered at 1970-01-01 00:03:28Z)" in text


def test_what_is_silenced_is_said_with_its_reason_and_what_silences_no_longer_too(eventful: Report):
    assert section(shown(eventful, 120), "Silenced") == [
        "clock.*, node compute2: 1 finding, until 2027-01-31 – NTP comes with the new switch",
        "rmq-memory-alarm: 1 root cause, until 2027-01-31 – it is a test broker",
        "clock.*, node compute2: expired on 2026-01-31, silences nothing (c.yaml:7)",
    ]
    assert "the clock is 37 s ahead" in section(shown(eventful, 120, verbose=True), "Silenced")


def test_one_cause_in_twelve_networks_is_told_once_with_its_places(hung: Report):
    places = [
        dataclasses.replace(hung.diagnoses[0], where={"node": "compute1", "network": f"net{number}"})
        for number in range(12)
    ]
    many = dataclasses.replace(hung, diagnoses=tuple(places))
    text = shown(many)
    assert text.startswith("1 root cause found")
    assert section(text, "The same 11 more times") == [
        *(f"network net{number}" for number in range(1, 7)),
        "… and 5 more places (--verbose)",
    ]
    assert "network net11" in section(shown(many, verbose=True), "The same 11 more times")


@pytest.mark.parametrize("width", [30, 60, 200])
def test_sixty_causes_and_five_hundred_findings_stay_readable(hung: Report, width: int):
    causes = tuple(
        dataclasses.replace(hung.diagnoses[0], cause=f"cause-{n}", title=f"cause {n}", explains=()) for n in range(60)
    )
    findings = tuple(
        Finding(f"thing {n}", f"thing {n} is broken", id=f"sys{n % 100}.thing", node=f"n{n}", severity=Severity.ERROR)
        for n in range(500)
    )
    crowded = dataclasses.replace(hung, diagnoses=causes, findings=findings, unexplained=findings)
    lines = shown(crowded, width).splitlines()
    assert all(any(line.strip().endswith(f"cause {n}") for line in lines) for n in range(60))
    text = " ".join(" ".join(lines).split())
    assert "… and 52 more root causes (--verbose)" in text
    assert "… and 88 more kinds (--verbose)" in text
    assert len(lines) < (1200 if width < 40 else 700)
    assert "thing 499 is broken" in shown(crowded, 200, verbose=True)


def test_a_whole_system_that_could_not_be_asked_is_one_gap(healthy: Report):
    gaps = tuple(
        NotChecked(f"{system}.{what}", node, "no credentials for the APIs")
        for system in ("nova", "neutron", "cinder")
        for what in range(15)
        for node in ("controller", "compute1")[: 1 + what % 2]
    )
    found = section(shown(dataclasses.replace(healthy, not_checked=gaps), 120), "Not looked at")
    assert " ".join(found) == (
        "cinder.* (15 checks), neutron.* (15 checks), nova.* (15 checks) on compute1, controller:"
        " no credentials for the APIs"
    )


def test_silenced_and_past_text_from_a_node_is_inert_too(eventful: Report):
    past = dataclasses.replace(eventful.history[0], title=HOSTILE)
    text = shown(dataclasses.replace(eventful, history=(past,)), verbose=True)
    assert text.replace("\n", "").isprintable()
