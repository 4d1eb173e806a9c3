"""From credentials on the node to a token, and GETs with it: http.client, one connection a request.

Nothing follows a redirect, nothing goes through a proxy, and certificates are verified unless the file says insecure.
"""

import http.client
import json
import os
import socket
import ssl
import threading
import time
import urllib.parse
from typing import Any, Dict, List, Optional, Tuple

from stackdoctor.collect.agent.apis import BODY, ApiAsker, Reply, Silence, Untold, said_in
from stackdoctor.collect.agent.commands import PIECE, Ended
from stackdoctor.collect.agent.openrc import credentials, lacks, v2_body, v3_body, v3_catalog
from stackdoctor.collect.agent.secrets import redact, redacted_text
from stackdoctor.collect.agent.wire import frame, write_all

CONNECT = 5.0
READ = 20.0
API_SOURCE = "api.source"
CLIENT = "stackdoctor"


def tls_of(found: Dict[str, str]) -> ssl.SSLContext:
    cacert = found.get("OS_CACERT")
    context = ssl.create_default_context(cafile=cacert if cacert else None)
    if found.get("OS_INSECURE", "").lower() in ("1", "true", "yes"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if found.get("OS_CERT"):
        context.load_cert_chain(found["OS_CERT"], found.get("OS_KEY") or None)
    return context


def exchange(
    method: str, url: str, headers: Dict[str, str], body: Optional[bytes], until: float, tls: Optional[ssl.SSLContext]
) -> Reply:
    """One request and its answer, or Silence; ``until`` is on time.monotonic()."""
    place = urllib.parse.urlsplit(url)
    left = until - time.monotonic()
    if left <= 0:
        raise Silence("not-run", "the time for the APIs was used up")
    if place.scheme not in ("http", "https") or not place.hostname:
        raise Silence("not-run", "%s is no URL" % url[:200])
    if place.scheme == "https":
        connection = http.client.HTTPSConnection(place.hostname, place.port, timeout=min(CONNECT, left), context=tls)  # type: http.client.HTTPConnection
    else:
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=min(CONNECT, left))
    told = "connecting took longer than %g s" % CONNECT
    over = threading.Event()
    end = None  # type: Optional[threading.Timer]
    try:
        connection.connect()
        told = "no answer within %g s" % READ
        until = min(until, time.monotonic() + READ)
        target = (place.path or "/") + ("?" + place.query if place.query else "")
        connection.sock.settimeout(max(0.1, until - time.monotonic()))
        # each byte that drips in would begin a new wait
        end = threading.Timer(max(0.1, until - time.monotonic()), hang_up_on, (connection.sock, over))
        end.daemon = True
        end.start()
        connection.request(method, target, body, dict(headers, Accept="application/json"))
        response = connection.getresponse()
        kept = bytearray()
        while True:
            piece = response.read(PIECE)
            if not piece:
                break
            kept += piece
            if len(kept) > BODY:
                raise Silence("truncated", "its answer is longer than %d MiB" % (BODY >> 20))
        if over.is_set():
            raise Silence("timed-out", told)
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, bytes(kept))
    except (OSError, http.client.HTTPException) as error:
        why = Silence("timed-out", told) if over.is_set() else silence_of(error, told)
        raise why from None
    finally:
        if end is not None:
            end.cancel()
        connection.close()


def silence_of(error: Exception, told: str) -> Silence:
    """Why a request failed; ``told`` is what a time-out means at that point."""
    if isinstance(error, socket.timeout):
        return Silence("timed-out", told)
    untrusted = getattr(error, "verify_message", "")
    if untrusted:
        return Silence("denied", "TLS: its certificate is not trusted (%s): OS_CACERT names who signed it" % untrusted)
    if isinstance(error, ssl.SSLError):
        return Silence("denied", "TLS: %s" % (error.reason or error))
    if isinstance(error, OSError) and not isinstance(error, http.client.HTTPException):
        known = error.errno is not None and error.errno > 0
        return Silence("not-run", os.strerror(error.errno or 0) if known else str(error)[:200])
    return Silence("not-run", "not HTTP: %s %s" % (type(error).__name__, str(error)[:100]))


def hang_up_on(sock: socket.socket, over: threading.Event) -> None:
    over.set()
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has hung up itself


def token(found: Dict[str, str], until: float, tls: Optional[ssl.SSLContext]) -> Tuple[str, List[Any], str]:
    """A token, the catalog that came with it, and the version of Keystone's API; raises Silence or Untold."""
    base = found["OS_AUTH_URL"].rstrip("/")
    stem = base[: base.rfind("/")] if base.endswith(("/v3", "/v2.0")) else base
    as_json = {"Content-Type": "application/json", "User-Agent": CLIENT}
    if not base.endswith("/v2.0") or found.get("OS_AUTH_TYPE") == "v3applicationcredential":
        body = json.dumps(v3_body(found)).encode("ascii")
        reply = exchange("POST", stem + "/v3/auth/tokens", as_json, body, until, tls)
        if reply.code == 201 and reply.headers.get("x-subject-token"):
            return reply.headers["x-subject-token"], within(reply.body, "token", "catalog"), "v3"
        if reply.code != 404:
            raise Untold(reply.code, said_in(reply.body))
    body = json.dumps(v2_body(found)).encode("ascii")
    reply = exchange("POST", stem + "/v2.0/tokens", as_json, body, until, tls)
    if reply.code != 200:
        raise Untold(reply.code, said_in(reply.body))
    access = within(reply.body, "access")
    try:
        return str(access["token"]["id"]), v3_catalog(access), "v2.0"
    except (KeyError, TypeError):
        raise Untold(0, "Keystone's answer holds no token") from None


def within(body: bytes, *keys: str) -> Any:
    try:
        value = json.loads(body.decode("utf-8"))
        for key in keys:
            value = value[key]
        return value
    except (ValueError, RecursionError, KeyError, TypeError):
        raise Untold(0, "Keystone's answer has no %s" % keys[-1]) from None


def read_apis(plan: Dict[str, Any], out_fd: int) -> None:
    """Answer with what the APIs say to the credentials on this node, in frames; one that says why there are none."""
    until = time.monotonic() + plan["seconds"]

    def emit(probe: str, subject: str, command: str, ended: Ended) -> None:
        header = {
            "kind": "result",
            "probe": probe,
            "subject": redacted_text(subject),
            "command": redacted_text(command),
            "status": ended.status,
            "exit": ended.exit,
            "started": ended.started,
            "seconds": round(ended.seconds, 4),
            "reason": redacted_text(ended.reason),
        }
        write_all(out_fd, frame(header, redact(ended.out), redact(ended.err)))

    began, clock = time.time(), time.monotonic()
    found, path, why = credentials(plan["files"])
    ended = Ended("ran", 0, b"", b"", began, 0.0, "")
    if found is None:
        emit(API_SOURCE, "", " ".join(plan["files"]), ended._replace(status="missing", exit=None, reason=why or NO_RC))
        return
    interface = endpoint_interface(found)
    value = {"origin": path, "auth_url": found["OS_AUTH_URL"], "interface": interface, "region": ""}
    value["region"] = found.get("OS_REGION_NAME", "")
    tls = None  # type: Optional[ssl.SSLContext]
    catalog = []  # type: List[Any]
    secret = ""
    try:
        if lacks(found):
            raise Untold(0, lacks(found))
        tls = tls_of(found)
        secret, catalog, value["identity"] = token(found, until, tls)
    except Silence as silence:
        ended = ended._replace(status=silence.status, exit=None, reason=silence.reason)
    except Untold as untold:
        refused = untold.code in (401, 403)
        said = ("HTTP %d: %s" % (untold.code, untold.reason)) if untold.code else untold.reason
        status, code = ("denied", None) if refused else ("ran", untold.code or 1)  # type: Tuple[str, Optional[int]]
        ended = ended._replace(status=status, exit=code, reason=said, err=said.encode("utf-8", "replace"))
    except (OSError, ssl.SSLError, ValueError) as error:  # a certificate's file that is not there
        said = "TLS cannot be set up: %s" % (getattr(error, "strerror", None) or type(error).__name__)
        ended = ended._replace(status="denied", exit=None, reason=said)
    out = json.dumps({"rows": [value]}).encode("ascii")
    command = "openstack token issue  (%s)" % path
    emit(API_SOURCE, "", command, ended._replace(out=out, seconds=time.monotonic() - clock))
    if not secret:
        return

    def get(url: str, headers: Dict[str, str], until: float, known: bool) -> Reply:
        own = dict(headers, **{"User-Agent": CLIENT})
        return exchange("GET", url, dict(own, **{"X-Auth-Token": secret}) if known else own, None, until, tls)

    interfaces = tuple(sorted({interface, "internal"}))
    ApiAsker(get, catalog, interface, value["region"], until, emit).ask(plan["reads"], interfaces)


NO_RC = "there is no openrc here"


def endpoint_interface(found: Dict[str, str]) -> str:
    """What the file prefers (``internalURL`` and ``internal`` are the same); public, as for openstack(1), without."""
    said = found.get("OS_INTERFACE") or found.get("OS_ENDPOINT_TYPE") or "public"
    return said[:-3] if said.endswith("URL") else said
