"""What an iSCSI portal says to a login that attaches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackdoctor.active.outcome import Outcome, State

__all__ = ["portal_outcome"]

_REFUSALS = {
    (2, 1): ("it refuses the login: authentication", "It wants CHAP, also for discovery: the portal works."),
    (2, 2): ("it does not let this initiator in", "The target's access list lacks this node's initiator name."),
    (2, 3): ("it has no such target", "The volume is not exported: cinder-volume exports it when it starts."),
    (2, 4): ("the target was removed", "The volume is not exported any more."),
    (3, 0): ("the target has an error of its own", "Look at the target's log."),
    (3, 1): ("the target is offline", "Nothing serves it at the moment: look at its backing store."),
    (3, 2): ("the target is out of resources", "Too many sessions, or no memory."),
}
"""Login status classes and details (RFC 7143, 11.13.5)."""


def portal_outcome(where: str, portal: str, target: str, answer: Mapping[str, Any]) -> Outcome:
    """What an answer of onnode/login.py says; ``target`` is empty for a discovery."""
    ms = float(answer.get("ms") or 0.0)
    names = [str(one.get("name")) for one in answer.get("targets") or ()]
    values = {"milliseconds": ms, "targets": answer.get("targets"), "chap": answer.get("method") == "CHAP"}
    values["status"] = [answer.get("class"), answer.get("detail")] if "class" in answer else None
    if not answer.get("connected"):
        says = f"{portal} takes no connection: {answer.get('error')}"
        refused = "refused" in str(answer.get("error"))
        advice = "No target daemon listens there." if refused else "The portal is out of reach: network or firewall."
        return Outcome(where, State.FAILED, says, advice, values)
    if answer.get("error"):
        says = f"{portal} takes connections and does not answer the login: {answer['error']}"
        return Outcome(where, State.FAILED, says, "The target daemon hangs, or it is no iSCSI portal.", values)
    kind, detail = int(answer.get("class", -1)), int(answer.get("detail", -1))
    if kind == 0 and target:
        how = "and wants CHAP" if answer.get("method") == "CHAP" else "without authentication"
        says = f"{portal} has {target} and lets {answer.get('initiator')} log in, {how} ({ms:.0f} ms)"
        return Outcome(where, State.OK, says, "Not proven: the CHAP secret, and the disk behind the target.", values)
    if kind == 0:
        says = f"{portal} answers with {len(names)} target{'s' * (len(names) != 1)} ({ms:.0f} ms)"
        advice = "" if names else "A portal that lists nothing may hide targets of others by its access list."
        return Outcome(where, State.OK, says, advice, values)
    if kind == 1:
        return Outcome(where, State.OK, f"{portal} sends to another portal", values=values)
    says, advice = _REFUSALS.get((kind, detail), (f"it refuses the login with status {kind:02x}{detail:02x}", ""))
    if (kind, detail) == (2, 1) and target:
        advice = "The target is there; it takes none of the methods CHAP and None from this initiator."
    return Outcome(where, State.FAILED, f"{portal}{' ' + target if target else ''}: {says}", advice, values)
