"""What the tables of a cloud say; the columns are those that MariaDB 10.11 printed for the statements."""

from __future__ import annotations

import pytest

from stackdoctor.model import Severity

TABLE = "Variable_name\tValue\n"
NONE = {
    f"database.{name}": ""
    for name in (
        *("nova-services", "nova-instances", "nova-volumes", "cinder-attachments", "cinder-volumes"),
        *("neutron-agents", "neutron-bindings", "queries", "transactions"),
    )
}
UP = {
    "mysql.status": TABLE + "Threads_connected\t9\nwsrep_cluster_status\tDisconnected\n",
    "mysql.variables": TABLE + "hostname\tcontroller\nmax_connections\t400\n",
}
SERVICES = "host\tservice\tage\n"
INSTANCES = "uuid\thost\tvm_state\ttask_state\tage\n"
VOLUMES = "volume\thost\tstatus\tattach_status\tage\n"
SIDES = "volume\tinstance\thost\tage\n"
TRANSACTIONS = "id\tuser\tclient\tdatabase\tage\tstate\tlocked\n"
QUERIES = "id\tuser\tclient\tdatabase\tage\tstate\n"
UUID = "0505d6dc-5650-4848-9bae-9cb19f60cb29"
VOLUME = "c85a9e21-eab4-4821-b34a-2b7cd0f97211"


def told(look, **tables: str) -> dict[str, Severity]:
    rows = {f"database.{name.replace('_', '-')}": text for name, text in tables.items()}
    return {f.id: f.severity for f in look(controller={**UP, **NONE, **rows}).every}


def test_a_cloud_in_which_nothing_is_stuck_gives_nothing(look) -> None:
    assert told(look) == {}


def test_without_the_consent_nothing_is_found_and_it_is_said(look, knowledge) -> None:
    seen = look(controller=UP)
    assert seen.findings == {}


def test_without_the_option_no_statement_is_sent(knowledge) -> None:
    usual = {probe.id for probe in knowledge.plan(since=60.0, seconds=10.0).probes}
    allowed = {probe.id for probe in knowledge.plan(since=60.0, seconds=10.0, consents={"database"}).probes}
    assert allowed - usual == set(NONE)


@pytest.mark.parametrize(
    ("row", "severity"),
    [
        ("compute1\tnova-compute\t100", Severity.WARNING),
        ("compute1\tnova-compute\t70", None),
        ("compute9\tnova-compute\t9999999", Severity.INFO),
        ("controller\tnova-osapi_compute\t13711", None),
    ],
)
def test_a_service_that_does_not_report_is_told_and_the_record_of_one_that_is_gone_is_information(look, row, severity):
    found = told(look, nova_services=SERVICES + row + "\n")
    assert found == ({} if severity is None else {"database.nova.service-down": severity})


@pytest.mark.parametrize(
    ("row", "severity"),
    [
        (f"{UUID}\tcompute1\tactive\tmigrating\t1000", Severity.WARNING),
        (f"{UUID}\tcompute1\tactive\tmigrating\t100", None),
        (f"{UUID}\tNULL\tbuilding\tNULL\t5000", Severity.WARNING),
        (f"{UUID}\tNULL\terror\tNULL\t5000", Severity.INFO),
    ],
)
def test_an_instance_is_stuck_after_a_quarter_of_an_hour(look, row, severity) -> None:
    found = told(look, nova_instances=INSTANCES + row + "\n")
    assert found == ({} if severity is None else {"database.instance.stuck": severity})


@pytest.mark.parametrize(
    ("row", "severity"),
    [
        (f"{VOLUME}\tstorage@lvm#lvm\tdetaching\tattached\t1000", Severity.WARNING),
        (f"{VOLUME}\tstorage@lvm#lvm\tdetaching\tattached\t10", None),
        (f"{VOLUME}\tstorage@lvm#lvm\terror_deleting\tdetached\t10", Severity.INFO),
    ],
)
def test_a_volume_is_stuck_after_a_quarter_of_an_hour(look, row, severity) -> None:
    found = told(look, cinder_volumes=VOLUMES + row + "\n")
    assert found == ({} if severity is None else {"database.volume.stuck": severity})


@pytest.mark.parametrize(
    ("table", "age", "severity"),
    [
        ("nova_volumes", 2487, Severity.WARNING),
        ("cinder_attachments", 2487, Severity.INFO),
        ("nova_volumes", 20, None),
    ],
)
def test_nova_and_cinder_may_disagree_for_a_moment(look, table, age, severity) -> None:
    rows = told(look, **{table: f"{SIDES}{VOLUME}\t{UUID}\tcompute1\t{age}\n"})
    assert rows.get("database.attachment.mismatch") == severity


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("24\tnova\t192.0.2.11\tnova\t76\tRUNNING\t12", True),
        ("24\tnova\t192.0.2.11\tnova\t76\tLOCK WAIT\t0", True),
        ("24\tkeystone\t192.0.2.11\tkeystone\t76\tRUNNING\t0", False),
        ("24\tnova\t192.0.2.11\tnova\t40\tRUNNING\t12", False),
    ],
)
def test_a_transaction_that_holds_nothing_harms_nobody(look, row, found) -> None:
    assert ("database.transaction.long" in told(look, transactions=TRANSACTIONS + row + "\n")) is found


@pytest.mark.parametrize(("age", "found"), [(61, True), (45, False)])
def test_a_statement_is_long_after_a_minute(look, age, found) -> None:
    row = f"31\tnova\t192.0.2.11\tnova\t{age}\tSending data\n"
    assert ("database.query.long" in told(look, queries=QUERIES + row)) is found


def test_ports_without_a_binding_are_told(look) -> None:
    rows = f"port\thost\towner\tdevice\n{UUID}\tcompute1\tcompute:nova\t{VOLUME}\n"
    assert told(look, neutron_bindings=rows) == {"database.port.binding-failed": Severity.WARNING}


def test_the_members_of_a_cluster_tell_one_thing_once(look) -> None:
    row = {"database.neutron-agents": SERVICES + "compute1\tneutron-linuxbridge-agent\t100\n"}
    other = {**UP, "mysql.variables": UP["mysql.variables"].replace("controller", "ctl2")}
    seen = look(controller={**UP, **NONE, **row}, ctl2={**other, **NONE, **row})
    assert [f.id for f in seen.every] == ["database.neutron.agent-down"]
