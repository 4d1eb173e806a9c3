from stackdoctor.model import Severity

TABLE = "Variable_name\tValue\n"


def galera(host: str, status: str = "Primary", state: str = "Synced", size: int = 3) -> dict[str, str]:
    rows = f"Threads_connected\t9\nwsrep_cluster_status\t{status}\nwsrep_cluster_size\t{size}\n"
    rows += f"wsrep_local_state_comment\t{state}\n"
    ready = "ON" if status == "Primary" else "OFF"
    variables = TABLE + f"hostname\t{host}\nmax_connections\t150\nwsrep_on\tON\n"
    return {"mysql.status": TABLE + rows + f"wsrep_ready\t{ready}\n", "mysql.variables": variables}


def test_a_healthy_galera_cluster_gives_nothing(look) -> None:
    seen = look(**{name: galera(name) for name in ("ctl1", "ctl2", "ctl3")})
    assert (seen.findings, seen.causes) == ({}, [])


def test_a_member_that_lost_the_majority_is_the_cause(look) -> None:
    seen = look(
        ctl1=galera("ctl1", "non-Primary", "Initialized", 1), ctl2=galera("ctl2", size=2), ctl3=galera("ctl3", size=2)
    )
    assert dict(seen.findings["galera.non-primary"].keys) == {"host": "ctl1", "status": "non-Primary", "size": "1"}
    assert seen.findings["galera.members.missing"].severity is Severity.WARNING
    assert seen.causes == [("galera-non-primary", "ctl1")]


def test_a_donor_is_a_warning(look) -> None:
    seen = look(ctl1=galera("ctl1", state="Donor/Desynced"), ctl2=galera("ctl2"), ctl3=galera("ctl3"))
    assert [(f.id, f.severity) for f in seen.every] == [("galera.not-synced", Severity.WARNING)]
    assert seen.causes == []
