"""Asking the APIs from this machine, beside the nodes, the way python-openstackclient is configured.

openstacksdk reads clouds.yaml or OS_* and gets the token; certificates, proxies and every kind of login are its
matter.  What is asked is the one list of reads (api_reads.py).
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import threading
import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stackdoctor.collect.agent.apis import BODY, ApiAsker, Reply, Silence
from stackdoctor.collect.agent.commands import Ended
from stackdoctor.collect.agent.openrc import v3_catalog
from stackdoctor.collect.agent.secrets import redact, redacted_text
from stackdoctor.collect.api_reads import API_SOURCE, reads_wire
from stackdoctor.collect.plan import API_SECONDS, Plan
from stackdoctor.errors import UsageError
from stackdoctor.model import API_ROLE, Node, NodeResults, Result, Status

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

__all__ = ["Reading", "start_reading"]

_LOG = logging.getLogger(__name__)
CONNECT = 5.0
READ = 20.0
PIECE = 1 << 16
ENVIRONMENT = "envvars"
"""What openstacksdk calls the cloud that OS_* describe."""


class Reading:
    """One reading of the APIs, in a thread of its own."""

    def __init__(self, cloud: str | CloudRegion, plan: Plan) -> None:
        name = cloud if isinstance(cloud, str) else cloud.name
        self._name = "api" if name in (None, "", "defaults", ENVIRONMENT) else str(name)
        self._until = time.monotonic() + min(API_SECONDS, plan.seconds)
        self._results: dict[tuple[str, str], Result] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, args=(cloud, plan), daemon=True, name="apis")
        self._thread.start()

    def result(self, *, wait: bool = True) -> NodeResults:
        """What has been answered, when all is or the time is over; at once without ``wait``."""
        if wait:
            self._thread.join(max(0.0, self._until - time.monotonic()) + READ)
        node = Node(self._name, roles=frozenset((API_ROLE,)))
        with self._lock:
            results = dict(self._results)
        if not results:
            reason = "Keystone's answer was not waited for"
            results[API_SOURCE.id, ""] = _source(Result(API_SOURCE.id, "", status=Status.NOT_RUN, reason=reason))
        return NodeResults(node, results)

    def _keep(self, probe: str, subject: str, command: str, ended: Ended) -> None:
        result = Result(
            probe=probe,
            subject=redacted_text(subject),
            command=redacted_text(command),
            status=Status(ended.status),
            exit=ended.exit,
            stdout=redact(ended.out),
            stderr=redact(ended.err),
            started=ended.started,
            seconds=ended.seconds,
            reason=redacted_text(ended.reason),
        )
        _LOG.debug("%s %s: %s %s %s", probe, subject, result.command, result.status.value, result.reason)
        with self._lock:
            self._results[probe, subject] = result

    def _read(self, cloud: str | CloudRegion, plan: Plan) -> None:
        logging.getLogger("keystoneauth").addHandler(logging.NullHandler())  # what it has to say is in the results
        began, clock = time.time(), time.monotonic()
        origin = "OS_* of the environment" if cloud == ENVIRONMENT else f"cloud {cloud} of clouds.yaml"
        if not isinstance(cloud, str):
            origin = "as python-openstackclient is told"
        value = {"origin": origin, "auth_url": "", "interface": "public", "region": ""}
        ended = Ended("ran", 0, b"", b"", began, 0.0, "")
        session: Any = None
        catalog: list[Any] = []
        try:
            with warnings.catch_warnings():  # what it will drop one day is no news for the user
                warnings.simplefilter("ignore")
                session, catalog = _login(cloud, value)
        except Exception as error:  # every kind of login has its own ways to fail; each is one sentence
            ended = _refused(ended, error)
        out = json.dumps({"rows": [value]}).encode()
        seconds = time.monotonic() - clock
        self._keep(API_SOURCE.id, "", f"openstack token issue  ({origin})", ended._replace(out=out, seconds=seconds))
        if not catalog:
            return

        def get(url: str, headers: dict[str, str], until: float, known: bool) -> Reply:
            return _get(session, url, headers, until, known)

        asker = ApiAsker(get, catalog, value["interface"], value["region"], self._until, self._keep)
        asker.ask(reads_wire(plan.apis), (value["interface"],))


def start_reading(cloud: str | CloudRegion, plan: Plan) -> Reading | None:
    """A reading of ``cloud``, or of that of the environment; None where there is nothing to log in with.

    A cloud is a name of clouds.yaml, or what openstacksdk has read already of all that a program was told.
    Raises UsageError where a cloud was named that there is not, or openstacksdk is missing.
    """
    if not plan.apis or not (cloud or os.environ.get("OS_AUTH_URL")):
        return None
    if importlib.util.find_spec("openstack") is None:
        if not cloud:
            return None
        raise UsageError(f"--os-cloud {cloud} needs openstacksdk: pip install 'stackdoctor[openstack]'")
    if cloud and isinstance(cloud, str):
        _refuse_unknown(cloud)
    return Reading(cloud or ENVIRONMENT, plan)


def _refuse_unknown(cloud: str) -> None:
    from openstack.config import OpenStackConfig
    from openstack.exceptions import ConfigException

    try:
        names = OpenStackConfig().get_cloud_names()
    except ConfigException as error:
        raise UsageError(f"clouds.yaml cannot be read: {error}") from error
    if cloud not in names:
        raise UsageError(f"--os-cloud {cloud}: clouds.yaml has no such cloud, only {', '.join(names) or 'none at all'}")


def _login(cloud: str | CloudRegion, value: dict[str, str]) -> tuple[Any, list[Any]]:
    """A session with a token, and the catalog; ``value`` is told what was used."""
    from openstack.config import OpenStackConfig

    region = OpenStackConfig().get_one(cloud=cloud, app_name="stackdoctor") if isinstance(cloud, str) else cloud
    value["auth_url"] = str(region.config.get("auth", {}).get("auth_url", ""))
    value["region"] = region.get_region_name() or ""
    value["interface"] = _interface(region.get_interface() or "public")
    session: Any = region.get_session()
    session.timeout = READ
    access = session.auth.get_access(session)
    entries = access.service_catalog.catalog
    value["identity"] = access.version
    return session, v3_catalog({"serviceCatalog": entries}) if access.version == "v2.0" else entries


def _interface(name: object) -> str:
    first = name[0] if isinstance(name, list) else name
    return str(first).removesuffix("URL")


def _get(session: Any, url: str, headers: dict[str, str], until: float, known: bool) -> Reply:
    from keystoneauth1 import exceptions

    left = until - time.monotonic()
    if left <= 0:
        raise Silence("not-run", "the time for the APIs was used up")
    try:
        response = session.request(
            url,
            "GET",
            headers={"Accept": "application/json", **headers},
            authenticated=known,
            raise_exc=False,
            redirect=False,
            log=False,
            stream=True,
            timeout=(min(CONNECT, left), min(READ, left)),
        )
        kept = bytearray()
        # what drips in is taken as it comes, so that the time is looked at
        read = getattr(response.raw, "read1", response.raw.read)
        while piece := read(PIECE, decode_content=True):
            kept += piece
            if len(kept) > BODY:
                raise Silence("truncated", f"its answer is longer than {BODY >> 20} MiB")
            if time.monotonic() > until:
                raise Silence("timed-out", "its answer did not end in time")
        response.close()
        return Reply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(kept))
    except exceptions.ConnectTimeout as error:
        raise Silence("timed-out", "no answer in time") from error
    except exceptions.SSLError as error:
        raise Silence("denied", f"TLS: {_brief(error)}") from error
    except (exceptions.ClientException, OSError) as error:
        raise Silence("not-run", _brief(error)) from error


def _refused(ended: Ended, error: Exception) -> Ended:
    from keystoneauth1 import exceptions

    code = getattr(error, "http_status", 0) or 0
    said = f"HTTP {code}: {_brief(error)}" if code else _brief(error)
    if isinstance(error, exceptions.ConnectTimeout):
        return ended._replace(status="timed-out", exit=None, reason="no answer in time")
    if code in (401, 403) or isinstance(error, exceptions.SSLError):
        return ended._replace(status="denied", exit=None, reason=said)
    if isinstance(error, exceptions.ConnectFailure):
        return ended._replace(status="not-run", exit=None, reason=said)
    if code:
        return ended._replace(exit=code, reason=said, err=said.encode())
    return ended._replace(status="denied", exit=None, reason=f"no token can be asked for: {said}")


def _brief(error: BaseException) -> str:
    """The innermost reason in one line: ``Connection refused`` and not the chain of three libraries around it."""
    inner = error
    while inner.__cause__ is not None or inner.__context__ is not None:
        inner = inner.__cause__ or inner.__context__ or inner
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(error)
    return " ".join(text.split())[:300] or type(error).__name__


def _source(result: Result) -> Result:
    return replace(result, command="openstack token issue", exit=None)
