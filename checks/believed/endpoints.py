"""Whether Keystone gives a token, and whether the endpoints of the catalog answer."""

from __future__ import annotations

from collections.abc import Iterator

from stackdoctor.api import Cloud, Finding, Severity, check
from stackdoctor.facts.openstack_endpoints import ApiLogin, Endpoint, Endpoints

CORE = {
    "identity": "keystone",
    "compute": "nova-api",
    "network": "neutron-server",
    "image": "glance-api",
    "placement": "placement-api",
    "block-storage": "cinder-api",
    "volumev3": "cinder-api",
    "volumev2": "cinder-api",
    "volume": "cinder-api",
}
"""The service behind an endpoint, as it is called everywhere else here."""

SLOW = 5.0
"""Seconds in which the root of any API has answered."""


@check("api.identity.no-token", severity=Severity.ERROR)
def no_token(logins: Cloud[ApiLogin]) -> Iterator[Finding]:
    """Keystone gives no token: it does not answer, or with an error of its own.

    A warning where it answers and refuses the credentials: then these are wrong, and nothing is said of the cloud.
    """
    for node, login in logins:
        if login.failure:
            yield Finding(
                login,
                f"no token from {login.auth_url} with the credentials of {login.origin}: {login.failure}",
                severity=Severity.WARNING if login.refused or not (login.code is None or login.code >= 500) else None,
                service="keystone",
                asked_from=node,
                refused="yes" if login.refused else "no",
            )


@check("api.endpoint.down", severity=Severity.ERROR)
def endpoint_down(endpoints: Cloud[Endpoints]) -> Iterator[Finding]:
    """An endpoint of the catalog does not answer, or says that nobody is behind it (502, 503, 504).

    A warning for services that a cloud can do without, and for interfaces that the credentials do not use.
    """
    for node, found in endpoints:
        for endpoint in found:
            if endpoint.failure or (endpoint.code or 0) in (502, 503, 504):
                what = endpoint.failure or f"HTTP {endpoint.code}"
                yield Finding(
                    endpoint,
                    f"the {endpoint.interface} endpoint of {endpoint.type} ({endpoint.url}): {what}",
                    severity=None if endpoint.type in CORE and endpoint.used else Severity.WARNING,
                    service=_service(endpoint),
                    type=endpoint.type,
                    interface=endpoint.interface,
                    asked_from=node,
                    code=endpoint.code,
                )


@check("api.endpoint.slow", severity=Severity.WARNING)
def endpoint_slow(endpoints: Cloud[Endpoints]) -> Iterator[Finding]:
    """The root of an API, which asks nobody else, took more than five seconds to answer."""
    for node, found in endpoints:
        for endpoint in found:
            if not endpoint.failure and endpoint.seconds > SLOW:
                yield Finding(
                    endpoint,
                    f"the {endpoint.interface} endpoint of {endpoint.type} answered after {endpoint.seconds:.1f} s",
                    service=_service(endpoint),
                    type=endpoint.type,
                    interface=endpoint.interface,
                    asked_from=node,
                )


def _service(endpoint: Endpoint) -> str:
    return CORE.get(endpoint.type, endpoint.type)
