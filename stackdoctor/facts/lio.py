"""The kernel's own iSCSI target (LIO): what its configuration file says and what the kernel has.

targetcli would tell both and loads kernel modules to do so; the files are only read.  ``saveconfig.json`` is
rtslib-fb's (man targetctl(8)); the rest is configfs, ``drivers/target/iscsi/iscsi_target_configfs.c``:

    /sys/kernel/config/target/iscsi/iqn.2010-10.org.openstack:volume-.../tpgt_1/enable         1
    /sys/kernel/config/target/iscsi/iqn.2010-10.org.openstack:volume-.../tpgt_1/acls/iqn.../info
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from stackdoctor.errors import ParseError
from stackdoctor.facts.answers import Row, json_value, nested, number, rows_in, text
from stackdoctor.facts.iscsi_target import Lun, Nexus, Target
from stackdoctor.model import Evidence

__all__ = ["CONFIGFS", "parse_live_path", "parse_saved", "parse_session", "with_live"]

CONFIGFS = "/sys/kernel/config/target/iscsi"
LIVE = re.compile(rf"{CONFIGFS}/([^/]{{1,300}})/tpgt_[0-9]{{1,5}}/(?:(enable)|acls/([^/]{{1,300}})/info)")


def parse_saved(document: str, evidence: Callable[[str], Evidence]) -> tuple[Target, ...]:
    """The targets of ``/etc/target/saveconfig.json``.  Raises ParseError."""
    config = json_value(document)
    if not isinstance(config, dict):
        raise ParseError("saveconfig.json is no object")
    paths = {
        f"/backstores/{text(row, 'plugin')}/{text(row, 'name')}": text(row, "dev")
        for row in rows_in(config.get("storage_objects", []))
    }
    rows = rows_in(config.get("targets", []))
    return tuple(_saved_target(row, paths, evidence) for row in rows if text(row, "fabric") == "iscsi")


def _saved_target(row: Row, paths: Mapping[str, str], evidence: Callable[[str], Evidence]) -> Target:
    iqn = text(row, "wwn")
    groups = rows_in(row.get("tpgs", []))
    enabled = any(group.get("enable") is True for group in groups)
    luns: list[Lun] = []
    acls: list[str] = []
    accounts: list[str] = []
    for group in groups:
        if number(nested(group, "attributes"), "generate_node_acls") == 1:
            acls.append("ALL")
        for unit in rows_in(group.get("luns", [])):
            index = number(unit, "index")
            if index is None:
                raise ParseError(f"saveconfig.json: a unit of {iqn[:200]} has no index")
            path = paths.get(text(unit, "storage_object"), "")
            luns.append(Lun(index, "disk", None, True, path, evidence(f"{iqn} lun {index} {path}")))
        for acl in rows_in(group.get("node_acls", [])):
            acls.append(text(acl, "node_wwn"))
            accounts += [text(acl, "chap_userid")] if text(acl, "chap_userid") else []
    state = "ready" if enabled else "offline"
    line = evidence(f"{iqn} enable {str(enabled).lower()}")
    return Target(None, iqn, state, "iscsi", (), tuple(luns), tuple(accounts), tuple(acls), line)


def parse_live_path(path: str) -> tuple[str, str] | None:
    """Target and initiator (empty for ``enable``) that a file in configfs is about; None for other files."""
    found = LIVE.fullmatch(path)
    return (found[1], found[3] or "") if found else None


def parse_session(content: str, initiator: str, evidence: Callable[[str], Evidence]) -> Nexus | None:
    """The session in an ACL's ``info``; None for ``No active iSCSI Session for Initiator Endpoint: iqn...``."""
    if "LIO Session ID" not in content:
        return None
    addresses = tuple(re.findall(r"^ +Address ([0-9a-fA-F.:\[\]]{2,60}) ", content, re.MULTILINE))
    return Nexus(initiator, addresses, evidence(f"Initiator: {initiator} Address {' '.join(addresses)}"))


def with_live(
    saved: tuple[Target, ...], enabled: Mapping[str, tuple[bool, Evidence]], nexuses: Mapping[str, tuple[Nexus, ...]]
) -> tuple[Target, ...]:
    """What is saved, with the state that the kernel has; what only the kernel has is added, its units unknown."""
    found: list[Target] = []
    for target in saved:
        live = enabled.get(target.iqn)
        state = "absent" if live is None else "ready" if live[0] else "offline"
        shown = target.evidence if live is None else live[1]
        found.append(_seen(target, state, nexuses.get(target.iqn, ()), shown))
    known = {target.iqn for target in saved}
    for iqn, (on, shown) in enabled.items():
        if iqn not in known:
            state = "ready" if on else "offline"
            found.append(Target(None, iqn, state, "iscsi", nexuses.get(iqn, ()), (), (), (), shown))
    return tuple(found)


def _seen(target: Target, state: str, nexuses: tuple[Nexus, ...], shown: Evidence) -> Target:
    return Target(None, target.iqn, state, target.driver, nexuses, target.luns, target.accounts, target.acls, shown)
