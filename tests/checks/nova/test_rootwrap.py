"""Real text: rootwrap.conf and `ls -1` of the folders of Debian's packages (which have no /usr/share/X/rootwrap)."""

AGENT = "/usr/bin/python3 /usr/bin/neutron-linuxbridge-agent"
CONF = "[DEFAULT]\nfilters_path=/etc/neutron/rootwrap.d,/usr/share/neutron/rootwrap\n"
LISTED = "/etc/neutron/rootwrap.d:\nrootwrap.filters\n\n/etc/nova/rootwrap.d:\ncompute.filters\n"


def node(processes: str, conf: str = CONF, listed: str = LISTED) -> dict[str, str]:
    return {
        "processes": processes,
        "rootwrap.config /etc/neutron/rootwrap.conf": conf,
        "rootwrap.filters": listed,
    }


def test_filters_that_are_gone_are_found(look, running, logged) -> None:
    denied = logged(
        ("rootwrap-denied", "neutron-linuxbridge-agent", "/var/log/neutron/a.log", {"command": "brctl"}, 9.0)
    )
    seen = look(compute1=node(running(AGENT), listed="/etc/neutron/rootwrap.d:\n") | {"logs.hits": denied})
    assert seen.findings["rootwrap.filters.missing"].keys["project"] == "neutron"
    assert seen.causes == [("rootwrap-broken", "compute1")]


def test_filters_in_one_of_the_folders_are_enough(look, running) -> None:
    assert look(compute1=node(running(AGENT))).findings == {}


def test_folders_that_were_not_looked_into_and_agents_that_do_not_run_are_left_out(look, running) -> None:
    assert look(compute1=node(running(AGENT), "[DEFAULT]\nfilters_path=/opt/filters\n", "")).findings == {}
    assert look(compute1=node(running(), listed="")).findings == {}
