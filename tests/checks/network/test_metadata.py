"""Who answers questions for metadata: nobody, a proxy that nothing leads to, or nobody on purpose."""

from __future__ import annotations

import json

from stackdoctor.checks.network.metadata import missing_isolated_proxy, missing_proxy, missing_redirection

NETWORK = "8af4f28b-a650-4777-9df9-e50d1c68e83d"
NAMESPACE = "qrouter-c501d0eb-77af-42bd-970d-11e38055b813"
QDHCP = f"qdhcp-{NETWORK}"
OPTIONS = f"/var/lib/neutron/dhcp/{NETWORK}/opts"
CHECKS = (missing_proxy, missing_isolated_proxy, missing_redirection)


def no_proxy(cloud) -> None:
    heading = cloud.text("controller", "netns.listen", NAMESPACE).split("\n")[0]
    cloud.say("controller", "netns.listen", heading, NAMESPACE)


def no_redirection(cloud) -> None:
    lines = cloud.text("controller", "iptables.netns", NAMESPACE).splitlines()
    kept = "\n".join(line for line in lines if "REDIRECT" not in line) + "\n"
    cloud.say("controller", "iptables.netns", kept, NAMESPACE)


def test_a_healthy_cloud_has_no_finding(cloud) -> None:
    assert cloud.find(*CHECKS) == []


def test_a_redirection_to_a_port_where_nothing_listens_is_found(cloud) -> None:
    no_proxy(cloud)
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["namespace"]) == ("metadata.proxy.missing", NAMESPACE)
    assert "REDIRECT --to-ports 9697" in found.evidence[0].line


def test_a_router_without_metadata_needs_no_proxy(cloud) -> None:
    no_proxy(cloud)
    no_redirection(cloud)
    assert cloud.find(*CHECKS) == []


def test_the_standby_of_a_highly_available_router_has_no_proxy(cloud) -> None:
    no_proxy(cloud)
    rows = json.loads(cloud.text("controller", "links.netns", NAMESPACE))
    cloud.say("controller", "links.netns", json.dumps([*rows, {**rows[-1], "ifname": "ha-1"}]), NAMESPACE)
    empty = [
        {**row, "addr_info": []} for row in json.loads(cloud.text("controller", "addresses.netns", NAMESPACE)) if row
    ]
    cloud.say("controller", "addresses.netns", json.dumps(empty), NAMESPACE)
    assert cloud.find(*CHECKS) == []


def test_a_proxy_that_no_rule_leads_to_is_found(cloud) -> None:
    no_redirection(cloud)
    assert cloud.one(*CHECKS).id == "metadata.redirect.missing"


def test_an_isolated_network_without_its_proxy_is_found(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", "169.254.169.254/32,10.10.0.1,", "169.254.169.254/32,10.10.0.2,", OPTIONS)
    found = cloud.one(*CHECKS)
    assert (found.id, found.keys["network"]) == ("metadata.proxy.missing-dhcp", NETWORK)


def test_an_isolated_network_with_its_proxy_is_well(cloud) -> None:
    cloud.swap("controller", "dnsmasq.files", "169.254.169.254/32,10.10.0.1,", "169.254.169.254/32,10.10.0.2,", OPTIONS)
    sockets = cloud.text("controller", "netns.listen", QDHCP)
    proxy = 'tcp   LISTEN 0      1024   169.254.169.254:80   0.0.0.0:*    users:(("haproxy",pid=3487,fd=4))\n'
    cloud.say("controller", "netns.listen", sockets.rstrip("\n") + "\n" + proxy, QDHCP)
    assert cloud.find(*CHECKS) == []


def test_nothing_is_said_where_sockets_could_not_be_read(cloud) -> None:
    cloud.forget("controller", "netns.listen")
    assert cloud.find(*CHECKS) == []
