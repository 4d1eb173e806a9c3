"""What a metadata proxy says to a request without an instance's identity, and what that proves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackdoctor.active.outcome import Outcome, State

__all__ = ["proxy_outcome"]

NOT_PROVEN = "Not proven: what Nova's metadata API says of an instance, and the guest's own way to the proxy."


def proxy_outcome(where: str, answer: Mapping[str, Any]) -> Outcome:
    """What an answer of onnode/fetch.py says.

    The proxy (haproxy) passes a request on to neutron-metadata-agent by its socket; the agent looks the sender's
    address up in Neutron and answers 404 where it is no instance's (neutron/agent/metadata/agent.py).
    """
    ms = float(answer.get("ms") or 0.0)
    values = {"status": answer.get("status"), "milliseconds": ms, "error": answer.get("error")}
    if not answer.get("connected"):
        says = f"nothing takes connections: {answer.get('error')}"
        advice = "The metadata proxy (haproxy) of this namespace does not run: restart the L3 or DHCP agent's router."
        return Outcome(where, State.FAILED, says, advice, values)
    status = int(answer.get("status") or 0)
    if not status:
        says = f"the proxy took the request and gave no answer within {ms / 1000:.0f} s: {answer.get('error', '')}"
        advice = "neutron-metadata-agent hangs, or waits for Neutron: look at its process and its log."
        return Outcome(where, State.FAILED, says.rstrip(": "), advice, values)
    took = f"status {status} in {ms:.0f} ms"
    if status in (200, 400, 404):
        says = f"{took}: the proxy, neutron-metadata-agent and its question to Neutron work"
        if status == 404:
            says += " (404 is right: this request comes from no instance)"
        return Outcome(where, State.OK, says, NOT_PROVEN, values)
    if status == 503:
        advice = "haproxy runs and nobody is behind its socket: neutron-metadata-agent is down on this node."
        return Outcome(where, State.FAILED, f"{took}: the proxy has no agent behind it", advice, values)
    if status in (502, 504):
        advice = "neutron-metadata-agent took the request and gave no answer: it hangs, or waits for Neutron's RPC."
        return Outcome(where, State.FAILED, f"{took}: the agent does not answer the proxy", advice, values)
    advice = (
        "neutron-metadata-agent failed: its log has the traceback (Neutron or RabbitMQ out of reach, a bad secret)."
    )
    return Outcome(where, State.FAILED, took, advice, values)
