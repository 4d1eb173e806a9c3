from stackdoctor.facts.telemetry import PIPELINES, Pipelines
from stackdoctor.model import Status

EXAMPLE = "publishers:\n          - notifier://\n          # - udp://192.0.2.1:4952\n          - gnocchi://\n"


def test_publishers_are_read_from_all_files(answer, answered_node) -> None:
    found = Pipelines.parse(
        answered_node(
            answer(PIPELINES, EXAMPLE, "/etc/ceilometer/pipeline.yaml"),
            answer(PIPELINES, "publishers: [x]\n  - http://192.0.2.1/\n", "/etc/ceilometer/event_pipeline.yaml"),
            answer(PIPELINES, "", "/etc/kolla/x", status=Status.MISSING),
        )
    )
    assert [p.scheme for p in found.publishers] == ["notifier", "gnocchi", "http"]
    assert found.of("gnocchi").evidence.line == "- gnocchi://"
