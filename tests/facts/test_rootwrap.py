import pytest

from stackdoctor.errors import CouldNotCheck
from stackdoctor.facts.rootwrap import CONFIG, FILTERS, Rootwraps

CONF = "[DEFAULT]\nfilters_path=/etc/nova/rootwrap.d,/usr/share/nova/rootwrap\nexec_dirs=/sbin,/usr/sbin\n"
LISTED = "/etc/neutron/rootwrap.d:\nrootwrap.filters\n\n/etc/nova/rootwrap.d:\ncompute.filters\n"
MISSING = "ls: cannot access '/usr/share/nova/rootwrap': No such file or directory\n"


def test_filters_are_those_of_the_project_s_folders(answer, answered_node) -> None:
    listed = answer(FILTERS, LISTED, exit=2, error=MISSING)
    (found,) = Rootwraps.parse(answered_node(answer(CONFIG, CONF, "/etc/nova/rootwrap.conf"), listed))
    assert (found.project, found.filters, found.known) == ("nova", ("/etc/nova/rootwrap.d/compute.filters",), True)


def test_folders_that_may_not_be_read_are_no_empty_folders(answer, answered_node) -> None:
    denied = answer(FILTERS, "", exit=2, error="ls: cannot open directory '/etc/nova/rootwrap.d': Permission denied\n")
    with pytest.raises(CouldNotCheck):
        Rootwraps.parse(answered_node(answer(CONFIG, CONF, "/etc/nova/rootwrap.conf"), denied))
