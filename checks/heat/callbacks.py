"""Where guests report back to Heat."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Finding, Severity, check
from stackdoctor.facts.heat import HeatConfig
from stackdoctor.facts.processes import Processes


@check("heat.callback.loopback", severity=Severity.WARNING)
def callback_is_loopback(config: HeatConfig, processes: Processes) -> Iterator[Finding]:
    """Heat tells guests to report to a loopback address: wait conditions and software deployments time out.

    From within a guest 127.0.0.1 is the guest.  It is looked at where heat-engine runs, which hands the URL out.
    """
    if not any(not p.zombie for p in processes.of("heat-engine")):
        return
    for callback in config.loopback:
        yield Finding(
            callback.name,
            f"{callback.name} is {callback.value}, which guests cannot reach",
            evidence=callback.evidence,
            host=config.evidence.node,
            service="heat-engine",
        )
