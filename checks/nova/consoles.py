"""The way from the console proxies to the guests, and the tokens that they share."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.guest_consoles import GuestConsoles
from stackdoctor.facts.nova_config import NovaConfig, is_loopback
from stackdoctor.facts.processes import Processes

PROXY = "nova-novncproxy"


@check("nova.vnc.proxy-address", severity=Severity.WARNING)
def proxy_address(configs: Cloud[NovaConfig], processes: Cloud[Processes]) -> Iterator[Finding]:
    """A compute host tells the console proxies to find its guests at a loopback address, and a proxy is elsewhere.

    It is nova's default where server_proxyclient_address is not set.  The proxy then connects to itself, and the
    console shows "Failed to connect to server".
    """
    proxies = _with(processes, PROXY)
    for node in sorted(_with(processes, "nova-compute")):
        config = configs.facts.get(node)
        if config is None or not config.vnc or not config.libvirt or not proxies - {node}:
            continue
        if is_loopback(config.vnc_proxy_address):
            yield Finding(
                config,
                f"proxies are told to find the consoles of {node} at {config.vnc_proxy_address},"
                f" and {', '.join(sorted(proxies - {node}))} is another host",
                node=node,
                evidence=config.vnc_evidence,
                host=node,
                address=config.vnc_proxy_address,
            )


@check("libvirt.vnc.loopback", severity=Severity.WARNING)
def guests_listen_on_loopback(consoles: Cloud[GuestConsoles], processes: Cloud[Processes]) -> Iterator[Finding]:
    """The VNC servers of running guests listen on a loopback address, and the console proxy is on another host.

    They keep the address that they were started with: after a change of server_listen a guest has to be started
    anew (hard reboot) or migrated.
    """
    proxies = _with(processes, PROXY)
    for node, found in consoles:
        local = [console for console in found.rows if is_loopback(console.listen)]
        if local and proxies - {node}:
            yield Finding(
                "vnc",
                f"the consoles of {len(local)} of {len(found.rows)} guests listen on {local[0].listen} only",
                node=node,
                evidence=local[0].evidence,
                count=len(local),
                host=node,
            )


@check("nova.consoleauth.unshared", severity=Severity.INFO)
def consoleauth_unshared(configs: Cloud[NovaConfig], processes: Cloud[Processes]) -> Iterator[Finding]:
    """Several nova-consoleauth run and no memcached is configured for them: each knows its own tokens only.

    Every other console then fails with an invalid token.  Since Rocky tokens are in the database of the cell, and
    this does not matter.
    """
    nodes = [node for node in sorted(_with(processes, "nova-consoleauth")) if node in configs.facts]
    alone = [node for node in nodes if not configs.facts[node].shares_tokens]
    if len(nodes) > 1 and alone:
        yield Finding(
            "nova-consoleauth",
            f"nova-consoleauth runs on {', '.join(nodes)}, without a memcached for its tokens on {', '.join(alone)}",
            node=alone[0],
            evidence=configs.facts[alone[0]].evidence,
            service="nova-consoleauth",
            host=alone[0],
        )


def _with(processes: Cloud[Processes], service: str) -> set[str]:
    return {node for node, rows in processes if any(not p.zombie for p in rows.of(service))}
