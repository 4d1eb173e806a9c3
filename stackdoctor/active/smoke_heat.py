"""A small VNF made by Heat: from a HOT that is given, or from a built-in one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stackdoctor.active.smoke_api import Api
from stackdoctor.active.smoke_choice import CIDR, VOLUME_GIB, Wanted
from stackdoctor.active.smoke_steps import Ledger, StepFailed, Steps, Stop
from stackdoctor.errors import UsageError

__all__ = ["STACK", "built_in", "launch_stack", "parameters_of", "read_hot"]

STACK = "stack is complete"
MOST_BYTES = 524_288
"""Heat's own limit, max_template_size (heat/common/config.py)."""

_KINDS = {
    "OS::Nova::Server": "server",
    "OS::Neutron::Port": "port",
    "OS::Neutron::Net": "network",
    "OS::Neutron::Subnet": "subnet",
    "OS::Neutron::Router": "router",
    "OS::Neutron::SecurityGroup": "security group",
    "OS::Neutron::FloatingIP": "floating IP",
    "OS::Cinder::Volume": "volume",
}


def built_in(wanted: Wanted) -> dict[str, Any]:
    """The HOT that is used when none is given (heat_template_version 2016-10-14, Newton)."""
    own = wanted.network is None
    network = {"get_resource": "network"} if own else wanted.network.id if wanted.network else ""
    tagged = {"name": wanted.prefix, "tags": [wanted.prefix]}
    resources: dict[str, Any] = {
        "group": {
            "type": "OS::Neutron::SecurityGroup",
            "properties": {"name": wanted.prefix, "rules": [{"protocol": "icmp", "direction": "ingress"}]},
        },
        "port": {
            "type": "OS::Neutron::Port",
            "properties": {
                **tagged,
                "network": network,
                **({"security_groups": [{"get_resource": "group"}]} if wanted.port_security else {}),
            },
            **({"depends_on": "subnet"} if own else {}),
        },
        "server": {
            "type": "OS::Nova::Server",
            "properties": {
                "name": wanted.prefix,
                "image": wanted.image.id,
                "flavor": wanted.flavor.id,
                "networks": [{"port": {"get_resource": "port"}}],
                "metadata": {"stackdoctor-smoke": wanted.prefix},
            },
        },
    }
    if own:
        resources["network"] = {"type": "OS::Neutron::Net", "properties": tagged}
        resources["subnet"] = {
            "type": "OS::Neutron::Subnet",
            "properties": {**tagged, "network": network, "cidr": CIDR},
        }
    if wanted.external:
        if own:
            gateway = {"external_gateway_info": {"network": wanted.external.id}}
            inside = {"router": {"get_resource": "router"}, "subnet": {"get_resource": "subnet"}}
            resources["router"] = {"type": "OS::Neutron::Router", "properties": {**tagged, **gateway}}
            resources["interface"] = {"type": "OS::Neutron::RouterInterface", "properties": inside}
        resources["address"] = {
            "type": "OS::Neutron::FloatingIP",
            "properties": {"floating_network": wanted.external.id, "port_id": {"get_resource": "port"}},
            **({"depends_on": "interface"} if own else {}),
        }
    if wanted.volume:
        resources["volume"] = {
            "type": "OS::Cinder::Volume",
            "properties": {"name": wanted.prefix, "size": VOLUME_GIB},
        }
        attached = {"instance_uuid": {"get_resource": "server"}, "volume_id": {"get_resource": "volume"}}
        resources["attachment"] = {"type": "OS::Cinder::VolumeAttachment", "properties": attached}
    return {"heat_template_version": "2016-10-14", "resources": resources}


def read_hot(file: Path) -> dict[str, Any]:
    """The template in ``file``; raises UsageError where it is none."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"{file} is larger than Heat takes ({MOST_BYTES} bytes)")
        value = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{file} is no YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(value, dict) or not isinstance(value.get("resources"), dict):
        raise UsageError(f"{file} is no Heat template: it has no resources")
    # YAML reads an unquoted date as a date, which is no JSON
    return {**value, "heat_template_version": str(value.get("heat_template_version", "2016-10-14"))}


def parameters_of(template: Mapping[str, Any], wanted: Wanted, given: Mapping[str, str]) -> dict[str, str]:
    """What the template's parameters get: those given, and image, flavor, network and external where it asks for them.

    Raises UsageError for one that is asked for and has no value, and for one that the template does not know.
    """
    declared = template.get("parameters") or {}
    declared = declared if isinstance(declared, dict) else {}
    if unknown := sorted(set(given) - set(declared)):
        raise UsageError(f"the template has no parameter {unknown[0]!r}: {', '.join(map(str, declared)) or 'none'}")
    known = {
        "name": wanted.prefix,
        "image": wanted.image.id,
        "flavor": wanted.flavor.id,
        "network": wanted.network.id if wanted.network else "",
        "external": wanted.external.id if wanted.external else "",
    }
    values = {name: value for name, value in known.items() if value and name in declared} | dict(given)
    open_ = [
        str(name)
        for name, about in declared.items()
        if name not in values and not (isinstance(about, dict) and "default" in about)
    ]
    if open_:
        raise UsageError(f"the template asks for {', '.join(open_)}: give --parameter {open_[0]}=VALUE")
    return values


def launch_stack(
    api: Api,
    wanted: Wanted,
    template: Mapping[str, Any],
    parameters: Mapping[str, str],
    steps: Steps,
    ledger: Ledger,
    stop: Stop,
    timeout: float,
) -> None:
    """Make the stack and wait until it is complete; what it made is in ``ledger`` then, also when it failed.

    Raises StepFailed with Heat's reason, Stopped.
    """
    heat = api.connection.orchestration
    with steps.step(STACK) as say:
        stack = heat.create_stack(
            name=wanted.prefix,
            template=dict(template),
            parameters=dict(parameters),
            timeout_mins=max(1, int(timeout // 60) + 1),
            is_rollback_disabled=True,
        )
        ledger.add("stack", stack.id, wanted.prefix)
        state = [""]

        def done() -> Any:
            found = heat.get_stack(stack.id)
            state[0] = str(found.status)
            say(f"{stack.id}: {state[0]}")
            return None if state[0].endswith("IN_PROGRESS") else found

        try:
            found = stop.wait(timeout, "the stack is not complete", done, lambda: state[0])
            if state[0] != "CREATE_COMPLETE":
                raise StepFailed(_reason(heat, wanted, stack.id, found))
        finally:
            _write_down(heat, wanted, stack.id, ledger)


def _resources(heat: Any, wanted: Wanted, id_: str) -> list[Any]:
    from openstack.orchestration.v1.stack import Stack

    return list(heat.resources(Stack.existing(id=id_, name=wanted.prefix)))


def _reason(heat: Any, wanted: Wanted, id_: str, stack: Any) -> str:
    bad = [row for row in _resources(heat, wanted, id_) if str(row.status).endswith("FAILED")]
    told = "; ".join(f"{row.name} ({row.resource_type}): {row.status_reason}" for row in bad)
    return f"{stack.status}: {told or stack.status_reason}"[:600]


def _write_down(heat: Any, wanted: Wanted, id_: str, ledger: Ledger) -> None:
    from openstack.exceptions import SDKException

    try:
        rows = _resources(heat, wanted, id_)
    except SDKException:
        return  # its removal deletes them all the same, and looks for names besides
    for row in rows:
        if row.physical_resource_id and row.resource_type in _KINDS:
            ledger.add(_KINDS[row.resource_type], row.physical_resource_id, f"{wanted.prefix} {row.name}", "stack")
