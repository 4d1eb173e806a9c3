"""The services of a node as its manager knows them: systemd units, and containers of docker or podman."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import ClassVar, Literal

from stackdoctor.errors import CouldNotCheck, NotApplicable, ParseError
from stackdoctor.facts.answers import integer, output, said
from stackdoctor.facts.service_names import of_container, of_unit
from stackdoctor.facts.table import tabbed
from stackdoctor.model import Clock, Evidence, NodeResults, Probe

__all__ = ["Service", "Services"]

_PROPERTIES = (
    *("Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "MainPID", "NRestarts"),
    *("ExecMainStatus", "ExecMainCode", "StateChangeTimestamp", "InactiveEnterTimestamp"),
    *("Type", "TriggeredBy", "ConditionResult", "ConditionTimestamp"),
)
# beside the services what starts them on demand
_GLOBS = ("*.service", "*.socket", "*.timer", "*.path")
_SHOWN = ("ActiveState", "SubState", "UnitFileState", "Result", "ExecMainStatus", "NRestarts", "StateChangeTimestamp")
_COLUMNS = ("names", "status", "image")
_FORMAT = r"{{.Names}}\t{{.Status}}\t{{.Image}}"
_STAMP = re.compile(r"(?:[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?: (\S{1,40}))?")
_EXITED = re.compile(r"Exited \((\d{1,5})\)")


@dataclass(frozen=True)
class Service:
    """One unit or container.

    ``name`` is the service as everywhere in this package (``nova-conductor``), ``unit`` what the manager
    calls it.  ``active``, ``sub`` and ``result`` are systemd's words (systemctl(1)); a container has active or
    inactive, and running, paused, restarting, created, exited or dead.  ``restarts`` is None where the manager
    does not say.  ``exit_status`` is how its main process last ended, ``since`` seconds since the epoch on the
    node's clock.  ``on_demand`` is for units that come and go: oneshot ones, those that a socket or a timer
    starts, and those whose condition does not hold here.
    """

    name: str
    manager: Literal["systemd", "docker", "podman"]
    unit: str
    active: str
    sub: str
    enabled: bool
    evidence: Evidence
    result: str = ""
    main_pid: int | None = None
    restarts: int | None = None
    exit_status: int | None = None
    since: float | None = None
    ran: bool = False
    on_demand: bool = False
    disabled: bool = False

    def __str__(self) -> str:
        return self.unit

    @property
    def down(self) -> bool:
        """It should run and does not: failed, or inactive though enabled or run since the boot, and not disabled."""
        if self.active == "failed":
            return True
        if self.active != "inactive" or self.sub == "created" or self.on_demand or self.disabled:
            return False
        return self.enabled or self.ran

    @property
    def flapping(self) -> bool:
        """Its manager starts it again and again."""
        return self.sub in ("auto-restart", "restarting") or (self.restarts or 0) >= 3


@dataclass(frozen=True)
class Services:
    """All units and containers of a node.  ``unread`` says which managers are there and could not be asked, and why.

    ``systemctl show --all '*.service'...`` prints a block of these lines for each loaded unit; enabled ones are
    loaded whether they run or not, since their target wants them (without ``--all`` only active ones are shown)::

        MainPID=0
        Result=success
        NRestarts=0
        ExecMainCode=1
        ExecMainStatus=0
        Id=nova-conductor.service
        LoadState=loaded
        ActiveState=inactive
        SubState=dead
        UnitFileState=enabled
        StateChangeTimestamp=Sun 2026-11-22 17:10:49 UTC
        InactiveEnterTimestamp=Sun 2026-11-22 17:10:49 UTC

    ``docker ps -a``, tabs between the columns::

        nova_conductor	Exited (137) 2 days ago	quay.io/openstack.kolla/nova-conductor:zed-debian-bullseye
    """

    probes: ClassVar[tuple[Probe, ...]] = (
        Probe("services.systemd", ("systemctl", "show", "--all", "--no-pager", "-p", ",".join(_PROPERTIES), *_GLOBS)),
        Probe("services.docker", ("docker", "ps", "-a", "--format", _FORMAT), root=True),
        Probe("services.podman", ("podman", "ps", "-a", "--format", _FORMAT), root=True),
    )

    rows: tuple[Service, ...]
    unread: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Service]:
        return iter(self.rows)

    def of(self, name: str) -> tuple[Service, ...]:
        """The units and containers of service ``name``."""
        return tuple(service for service in self.rows if service.name == name)

    def meant(self, name: str) -> bool:
        """Whether service ``name`` is to run here: it is active, enabled or down, and not merely installed."""
        return any(s.active != "inactive" or s.down or (s.enabled and not s.on_demand) for s in self.of(name))

    @classmethod
    def parse(cls, results: NodeResults) -> Services:
        """What the managers of this node say.

        Raises NotApplicable where there is none, CouldNotCheck where none could be asked, ParseError.
        """
        rows: list[Service] = []
        unread: list[str] = []
        missing: list[str] = []
        answered = False
        for probe, read in zip(cls.probes, (_systemd, _docker, _podman), strict=True):
            try:
                rows += read(results, probe)
                answered = True
            except NotApplicable as error:
                missing.append(str(error))
            except ParseError:
                raise
            except CouldNotCheck as error:
                unread.append(str(error))
        if not answered:
            raise CouldNotCheck("; ".join(unread)) if unread else NotApplicable("; ".join(missing))
        return cls(tuple(rows), tuple(unread))


def _systemd(results: NodeResults, probe: Probe) -> list[Service]:
    result = results.one(probe)
    if result.exit and ("not been booted with systemd" in said(result) or "connect to bus" in said(result)):
        raise NotApplicable(f"{result.command}: {said(result)}")
    units: list[tuple[Mapping[str, str], Evidence]] = []
    for block in re.split(r"\n{2,}", output(result).strip("\n")):
        if not block:
            continue
        values = {key: value for key, mark, value in (line.partition("=") for line in block.split("\n")) if mark}
        if "Id" not in values or "ActiveState" not in values:
            raise ParseError(f"{result.command}: a unit without Id or ActiveState")
        line = " ".join(f"{key}={values[key]}" for key in ("Id", *_SHOWN) if key in values)
        units.append((values, results.evidence(result, line)))
    active = frozenset(values["Id"] for values, _ in units if values["ActiveState"] == "active")
    return [
        _unit(values, evidence, results.clock, active)
        for values, evidence in units
        if values["Id"].endswith(".service") and values.get("LoadState") not in ("not-found", "masked", "error")
    ]


def _unit(values: Mapping[str, str], evidence: Evidence, clock: Clock | None, active: frozenset[str]) -> Service:
    unit = values["Id"]
    return Service(
        of_unit(unit),
        "systemd",
        unit,
        values["ActiveState"],
        values.get("SubState", ""),
        values.get("UnitFileState", "").startswith("enabled"),
        evidence,
        result=values.get("Result", ""),
        main_pid=integer(values.get("MainPID", "")) or None,
        restarts=integer(values.get("NRestarts", "")),
        exit_status=integer(values.get("ExecMainStatus", "")) if values.get("ExecMainCode", "0") != "0" else None,
        since=_epoch(values.get("StateChangeTimestamp", ""), clock),
        ran=bool(values.get("InactiveEnterTimestamp")),
        disabled=values.get("UnitFileState") in ("disabled", "masked"),
        on_demand=values.get("Type") == "oneshot"
        or not active.isdisjoint(values.get("TriggeredBy", "").split())
        or (values.get("ConditionResult") == "no" and bool(values.get("ConditionTimestamp"))),
    )


def _docker(results: NodeResults, probe: Probe) -> list[Service]:
    return _containers(results, probe, "docker")


def _podman(results: NodeResults, probe: Probe) -> list[Service]:
    return _containers(results, probe, "podman")


def _containers(results: NodeResults, probe: Probe, manager: Literal["docker", "podman"]) -> list[Service]:
    result = results.one(probe)
    services = []
    for cells, line in tabbed(output(result), _COLUMNS):
        sub = _sub(cells["status"])
        ended = _EXITED.match(cells["status"])
        services.append(
            Service(
                of_container(cells["names"]),
                manager,
                cells["names"],
                "active" if sub in ("running", "paused") else "inactive",
                sub,
                True,
                results.evidence(result, line),
                result="" if ended is None or ended[1] == "0" else "exit-code",
                exit_status=int(ended[1]) if ended else None,
                ran=sub != "created",
            )
        )
    return services


def _sub(status: str) -> str:
    """The state in docker's and podman's words for people: ``Up 3 hours (Paused)``, ``Exited (137) 2 days ago``."""
    first = status.partition(" ")[0].lower()
    if first == "up":
        return "paused" if "(Paused)" in status else "running"
    known = {"exited", "restarting", "created", "dead", "paused", "initialized", "stopped", "removal", "removing"}
    if first in known:
        return first
    raise ParseError(f"unknown state of a container: {status[:80]}")


def _epoch(stamp: str, clock: Clock | None) -> float | None:
    """Seconds since the epoch of ``Sun 2026-11-22 17:10:49 UTC``; None if empty or in a zone that is not the node's.

    >>> _epoch("Sun 2026-11-22 17:10:49 UTC", None)
    1795367449.0
    """
    match = _STAMP.fullmatch(stamp)
    if match is None:
        return None
    if match[2] in ("UTC", "GMT"):
        offset = 0
    elif clock is not None and match[2] in (clock.zone, None):
        offset = clock.utc_offset
    else:
        return None
    try:
        moment = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return moment.timestamp() - offset
