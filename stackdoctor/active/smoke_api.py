"""The cloud's APIs as a user of it sees them, through openstacksdk: the login, and the request id of every call."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from stackdoctor.errors import StackdoctorError, UsageError

__all__ = ["Api", "ApiRequest", "CouldNotRun", "brief", "is_api_error", "is_gone", "log_in"]

ENVIRONMENT = "envvars"
"""What openstacksdk calls the cloud that OS_* describe."""
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>")
"""WSGI servers say what went wrong as HTML."""
SECONDS = 60.0
MOST = 300


class CouldNotRun(StackdoctorError):
    """The cloud could not be spoken to, or has not what the check needs: nothing was made."""

    exit_status = 3


@dataclass(frozen=True)
class ApiRequest:
    """One call: ``id`` is its x-openstack-request-id (empty where the service gave none), ``status`` HTTP's."""

    method: str
    path: str
    status: int
    id: str

    @property
    def changes(self) -> bool:
        """Whether it is one that does something."""
        return self.method not in ("GET", "HEAD")


@dataclass(frozen=True)
class Api:
    """A connection with a token.  ``requests`` grows with every call.

    ``name`` is that of the cloud in clouds.yaml, empty for OS_*.
    """

    connection: Any
    requests: list[ApiRequest]
    name: str

    @property
    def has_heat(self) -> bool:
        """Whether the catalog lists an orchestration service."""
        return bool(self.connection.has_service("orchestration"))

    @property
    def has_cinder(self) -> bool:
        """Whether the catalog lists a volume service."""
        return bool(self.connection.has_service("block-storage"))


def log_in(cloud: str) -> Api:
    """A connection to ``cloud`` of clouds.yaml, or (empty) to the one that OS_* describe.

    Raises UsageError without credentials or where they are refused, CouldNotRun where nobody answers.
    """
    if importlib.util.find_spec("openstack") is None:
        raise UsageError("this needs openstacksdk: pip install 'stackdoctor[openstack]'")
    if not cloud and not os.environ.get("OS_AUTH_URL"):
        raise UsageError("no credentials: name a cloud of clouds.yaml with --os-cloud, or set OS_AUTH_URL and the like")
    from keystoneauth1 import exceptions as auth
    from openstack import connection, exceptions
    from openstack.config import OpenStackConfig

    requests: list[ApiRequest] = []
    for library in ("keystoneauth", "openstack"):
        # what they warn of comes back as an error, and would stand on the terminal twice
        logging.getLogger(library).addHandler(logging.NullHandler())
    try:
        with warnings.catch_warnings():  # what it will drop one day is no news for the user
            warnings.simplefilter("ignore")
            region = OpenStackConfig().get_one(cloud=cloud or ENVIRONMENT, app_name="stackdoctor")
            session = region.get_session()
            session.timeout = SECONDS
            session.session.hooks["response"].append(_noting(requests))
            opened = connection.Connection(config=region)
            opened.authorize()
    except exceptions.ConfigException as error:
        raise UsageError(f"no credentials: {brief(error)}") from error
    except (exceptions.SDKException, auth.ClientException) as error:
        raise _refused(error) from error
    return Api(opened, requests, cloud)


def _refused(error: BaseException) -> StackdoctorError:
    from keystoneauth1 import exceptions as auth

    causes = _causes(error)
    # openstacksdk says it in words only where Keystone refuses the password
    if any(isinstance(cause, (auth.Unauthorized, auth.Forbidden)) for cause in causes) or "HTTP 401" in str(error):
        return UsageError(f"Keystone refuses these credentials: {brief(error)}")
    if any(isinstance(cause, (auth.ConnectFailure, auth.DiscoveryFailure)) for cause in causes):
        return CouldNotRun(f"Keystone does not answer: {brief(error)}")
    return CouldNotRun(f"no token was given: {brief(error)}")


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _noting(requests: list[ApiRequest]) -> Callable[..., None]:
    """A hook of requests (its `hooks`) that writes every answer down, redirected and repeated ones too."""

    def note(response: Any, *_: object, **__: object) -> None:
        headers = response.headers
        id_ = headers.get("x-openstack-request-id") or headers.get("x-compute-request-id") or ""
        path = urlsplit(str(response.url)).path
        requests.append(ApiRequest(str(response.request.method), path, int(response.status_code), id_[:80]))

    return note


def is_api_error(error: BaseException) -> bool:
    """Whether ``error`` is openstacksdk's or keystoneauth's way to say that a call failed."""
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException

    return isinstance(error, (SDKException, ClientException))


def is_gone(error: BaseException) -> bool:
    """Whether ``error`` says that what was named is not there (any more); of a stack that Heat deleted, without 404."""
    from openstack.exceptions import NotFoundException

    if isinstance(error, NotFoundException):
        return True
    return (getattr(error, "status_code", 0) or getattr(error, "http_status", 0)) == 404


def brief(error: BaseException) -> str:
    """What the API said, in one line of at most 300 characters."""
    said = str(getattr(error, "details", "") or "")
    text = " ".join(_TAG.sub(" ", said if said and said != "None" else str(error)).split())
    code = getattr(error, "status_code", 0) or getattr(error, "http_status", 0) or 0
    told = f"HTTP {code}: {text}" if code and f"{code}" not in text else text
    return told[:MOST] or type(error).__name__
