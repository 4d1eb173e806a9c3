"""Whether what bridges forward goes through iptables at all."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.checks.network.bridging import BRIDGES

from stackdoctor.api import Evidence, Finding, Severity, check
from stackdoctor.facts.bridges import BridgeNetfilter
from stackdoctor.facts.iptables import Iptables
from stackdoctor.facts.links import Links
from stackdoctor.facts.neutron_names import LINUXBRIDGE_CHAINS, OPENVSWITCH_CHAINS


@check("bridge.nf-call.off", severity=Severity.ERROR)
def bridged_frames_pass_by(netfilter: BridgeNetfilter, iptables: Iptables, links: Links) -> Iterator[Finding]:
    """Security groups are in iptables, and what bridges forward does not go through iptables: they have no effect."""
    table = iptables.tables.get("filter")
    chains = table.chains if table is not None else {}
    guarded = [c for p in (LINUXBRIDGE_CHAINS, OPENVSWITCH_CHAINS) if (c := chains.get(f"{p}-sg-chain")) is not None]
    jumps = [rule for found in guarded for rule in found.rules if rule.target not in ("ACCEPT", "RETURN", "DROP", "")]
    own = [link for link in links.within("") if link.kind == "bridge" and link.name.startswith(BRIDGES)]
    if netfilter.iptables is not False or not jumps or any(link.nf_call_iptables for link in own):
        return
    yield Finding(
        netfilter,
        "bridged frames do not pass iptables (bridge-nf-call-iptables is 0): security groups have no effect",
        evidence=(netfilter.evidence, Evidence(netfilter.evidence.node, "iptables-save -c", jumps[0].line)),
        host=netfilter.evidence.node,
    )
