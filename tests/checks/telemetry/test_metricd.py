"""The pipeline is Ceilometer's own (ceilometer/pipeline/data/pipeline.yaml, 19.0.0)."""

from stackdoctor.model import Status

PIPELINE = """---
sources:
    - name: meter_source
      meters:
          - "*"
      sinks:
          - meter_sink
sinks:
    - name: meter_sink
      publishers:
          - gnocchi://
"""
AGENT = "ceilometer-agent-notification: master process [/usr/bin/ceilometer-agent-notification]"
METRICD = "gnocchi-metricd: master process [/usr/bin/gnocchi-metricd]"
UNIT = "Id=gnocchi-metricd.service\nLoadState=loaded\nActiveState={0}\nSubState={1}\nUnitFileState={2}\n"


def node(processes: str, unit: str = "", pipeline: str = PIPELINE) -> dict[str, object]:
    return {
        "processes": processes,
        "services.systemd": unit,
        "services.docker": Status.MISSING,
        "services.podman": Status.MISSING,
        "ceilometer.pipelines /etc/ceilometer/pipeline.yaml": pipeline,
    }


def test_samples_for_a_gnocchi_that_nobody_processes_are_the_cause(look, running) -> None:
    seen = look(ctl1=node(running(AGENT), UNIT.format("inactive", "dead", "disabled")))
    assert "telemetry.metricd.absent" in seen.findings
    assert seen.causes == [("telemetry-broken", "ctl1")]


def test_one_that_is_enabled_and_down_is_that_process_s_matter(look, running) -> None:
    seen = look(ctl1=node(running(AGENT), UNIT.format("inactive", "dead", "enabled")))
    assert seen.causes == [("service-process-down", "ctl1")]
    assert "telemetry.metricd.absent" in seen.explained


def test_a_metricd_that_runs_and_samples_for_others_are_fine(look, running) -> None:
    off = UNIT.format("inactive", "dead", "disabled")
    assert look(ctl1=node(running(AGENT), off), ctl2=node(running(METRICD))).findings == {}
    assert look(ctl1=node(running(AGENT), off, PIPELINE.replace("gnocchi://", "http://192.0.2.9/"))).findings == {}
    assert look(ctl1=node(running(AGENT))).findings == {}
