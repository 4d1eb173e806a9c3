"""Where the credentials came from, whether they gave a token, and which endpoints of the catalog answer.

{"rows": [{"type": "compute", "interface": "public", "url": "http://192.0.2.100:8774/v2.1/", "code": 200}]}
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from stackdoctor.collect.api_reads import API_ENDPOINTS, API_SOURCE
from stackdoctor.errors import CouldNotCheck
from stackdoctor.facts.answers import json_value, number, rows_in, text
from stackdoctor.facts.openstack_answers import NOWHERE, source_of
from stackdoctor.model import Evidence, NodeResults, Probe, Status

__all__ = ["ApiLogin", "Endpoint", "Endpoints"]


@dataclass(frozen=True)
class ApiLogin:
    """How getting a token went: ``origin`` of the credentials, Keystone's ``auth_url``; ``failure`` says why none came.

    ``refused`` says that Keystone answered, and did not take the credentials.
    """

    origin: str
    auth_url: str
    interface: str
    failure: str
    refused: bool
    code: int | None
    evidence: Evidence
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE,)

    def __str__(self) -> str:
        return self.auth_url or self.origin

    @classmethod
    def parse(cls, results: NodeResults) -> ApiLogin:
        """Raises NotApplicable where there are no credentials, CouldNotCheck or ParseError."""
        result = source_of(results)
        if not result.stdout:
            raise CouldNotCheck(result.reason or f"the APIs were not asked ({result.status.value})")
        value = json_value(result.text)
        row = next(iter(rows_in(value.get("rows"))), {}) if isinstance(value, dict) else {}
        good = result.status is Status.RAN and not result.exit
        failure = "" if good else result.reason or result.status.value
        code = result.exit if result.status is Status.RAN and result.exit and result.exit >= 100 else None
        return cls(
            text(row, "origin"),
            text(row, "auth_url"),
            text(row, "interface"),
            failure,
            result.status is Status.DENIED,
            code,
            results.evidence(result, failure or "a token was issued"),
        )


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the catalog: its HTTP code, None where nothing came; ``failure`` says what happened then."""

    type: str
    interface: str
    url: str
    code: int | None
    seconds: float
    failure: str
    used: bool
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.type} {self.interface} {self.url}"


@dataclass(frozen=True)
class Endpoints:
    """Every endpoint that was tried; ``used`` are those of the interface that the credentials prefer."""

    rows: tuple[Endpoint, ...]
    nowhere: ClassVar[str] = NOWHERE
    probes: ClassVar[tuple[Probe, ...]] = (API_SOURCE, API_ENDPOINTS)

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self.rows)

    @classmethod
    def parse(cls, results: NodeResults) -> Endpoints:
        """Raises NotApplicable, CouldNotCheck or ParseError."""
        login = ApiLogin.parse(results)
        if login.failure:
            raise CouldNotCheck(f"no token from {login.auth_url}: {login.failure}")
        rows: list[Endpoint] = []
        for result in (r for (id_, _), r in results.results.items() if id_ == API_ENDPOINTS.id):
            value = json_value(result.text)
            for row in rows_in(value.get("rows")) if isinstance(value, dict) else ():
                code = number(row, "code")
                failure = "" if result.status is Status.RAN else result.reason or result.status.value
                rows.append(
                    Endpoint(
                        text(row, "type"),
                        text(row, "interface"),
                        text(row, "url"),
                        code,
                        result.seconds,
                        failure,
                        text(row, "interface") == login.interface,
                        results.evidence(result, failure or f"HTTP {code} after {result.seconds:.1f} s"),
                    )
                )
        if not rows:
            raise CouldNotCheck("no endpoint was tried")
        return cls(tuple(rows))
