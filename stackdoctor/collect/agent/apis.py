"""What the OpenStack APIs say: a list of GETs, side by side, each bounded in time, pages and size.

How a GET travels is the caller's (``Get``): here over http.client, on the operator's machine over keystoneauth.
Only named fields of an answer are kept: what users wrote into their servers stays where it is.
"""

import json
import re
import threading
import time
import urllib.parse
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor, as_completed
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from stackdoctor.collect.agent.commands import Ended

AT_ONCE = 6
BODY = 1 << 25
VERSIONED = {
    "compute": ("compute", "X-OpenStack-Nova-API-Version"),
    "volume": ("volume", ""),
    "placement": ("placement", ""),
}
TYPES = {
    "compute": ("compute",),
    "network": ("network",),
    "volume": ("block-storage", "volumev3", "volumev2", "volume"),
    "placement": ("placement",),
    "identity": ("identity",),
}
"""The names of a service in catalogs, the preferred one first."""

Reply = NamedTuple("Reply", [("code", int), ("headers", Dict[str, str]), ("body", bytes)])
Get = Callable[[str, Dict[str, str], float, bool], Reply]
"""GET a URL with headers until a moment of time.monotonic(), with the token or without; raises Silence."""

Emit = Callable[[str, str, str, Ended], None]
"""Takes probe, subject, command and how it ended."""


class Silence(Exception):
    """Why there is no answer: a status of the tool's model, and a sentence."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Untold(Exception):
    """An answer that says no: its HTTP code (0 for one that cannot be understood) and what it says."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def endpoint_of(catalog: Any, service: str, interface: str, region: str) -> str:
    """The URL of ``service`` in a catalog of v3, ending in a slash; empty where it has none."""
    for type_ in TYPES[service]:
        for entry in catalog:
            if entry.get("type") != type_:
                continue
            for endpoint in entry.get("endpoints", ()):
                where = endpoint.get("region") or endpoint.get("region_id")
                if endpoint.get("interface") == interface and (not region or where == region):
                    return rooted(service, str(endpoint["url"]))
    return ""


def rooted(service: str, url: str) -> str:
    """An endpoint as the paths of reads continue it: catalogs leave Neutron's and Keystone's versions out."""
    url = url.rstrip("/") + "/"
    if service == "identity":  # an old catalog names v2.0, which knows no projects
        return re.sub(r"v(?:2\.0|3)/\Z", "", url) + "v3/"
    if service == "network" and not re.search(r"/v2(\.\d+)?/$", url):
        url += "v2.0/"
    return url


class ApiAsker:
    """Carries out the reads of one cloud."""

    def __init__(self, get: Get, catalog: Any, interface: str, region: str, until: float, emit: Emit) -> None:
        self.get, self.catalog, self.interface, self.region = get, catalog, interface, region
        self.until = until
        self.write = emit
        self.lock = threading.Lock()
        self.versions = {}  # type: Dict[Tuple[str, str], str]
        self.rows = {}  # type: Dict[str, List[Any]]
        self.ahead = None  # type: Optional[float]

    def emit(self, probe: str, subject: str, command: str, ended: Ended) -> None:
        with self.lock:
            self.write(probe, subject, command, ended)

    def ask(self, reads: Iterable[Dict[str, Any]], interfaces: Iterable[str]) -> None:
        """All of ``reads``: first those that stand alone, then those about the rows of others, the late ones last."""
        reads = list(reads)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(self.endpoint, *each) for each in self.endpoints(interfaces)]
            for turn in (0, 1, 2):
                mine = [read for read in reads if turn_of(read) == turn]
                futures = [pool.submit(self.read, read) for read in mine]
                for future in as_completed(futures):
                    future.result()
            for job in jobs:
                job.result()

    def endpoints(self, interfaces: Iterable[str]) -> List[Tuple[str, str, str]]:
        """Type, interface and URL of every endpoint of the region that is to be tried, each host and path once."""
        found = OrderedDict()  # type: Dict[str, Tuple[str, str, str]]
        for entry in self.catalog:
            for endpoint in entry.get("endpoints", ()):
                where = endpoint.get("region") or endpoint.get("region_id")
                if endpoint.get("interface") in interfaces and (not self.region or where == self.region):
                    url = version_root(str(endpoint.get("url", "")))
                    found.setdefault(url, (str(entry.get("type", "")), str(endpoint["interface"]), url))
        return list(found.values())[:100]

    def endpoint(self, type_: str, interface: str, url: str) -> None:
        """Whether anything answers at an endpoint: any HTTP answer of the service itself will do."""
        began, clock = time.time(), time.monotonic()
        value = {"type": type_, "interface": interface, "url": url}  # type: Dict[str, Any]
        ended = Ended("ran", 0, b"", b"", began, 0.0, "")
        try:
            reply = self.get(url, {}, self.until, False)
            value["code"] = reply.code
        except Silence as silence:
            ended = ended._replace(status=silence.status, exit=None, reason=silence.reason)
        seconds = time.monotonic() - clock
        value["seconds"] = round(seconds, 3)
        out = json.dumps({"rows": [value]}).encode("ascii")
        self.emit("api.endpoints", "%s %s" % (type_, interface), "GET " + url, ended._replace(out=out, seconds=seconds))

    def read(self, read: Dict[str, Any]) -> None:
        """One read of the list: its answer, or why there is none."""
        began, clock = time.time(), time.monotonic()
        base = endpoint_of(self.catalog, read["service"], self.interface, self.region)
        url = base + read["path"]
        ended = Ended("ran", 0, b"", b"", began, 0.0, "")
        if not base:
            why = "the catalog has no %s endpoint (%s) of %s" % (self.interface, read["service"], self.region or "it")
            ended = ended._replace(status="missing", exit=None, reason=why)
        else:
            try:
                answer = self.collected(read, base)
                self.rows[read["id"]] = answer["rows"]
                ended = ended._replace(out=json.dumps(answer).encode("ascii"))
            except Silence as silence:
                ended = ended._replace(status=silence.status, exit=None, reason=silence.reason)
            except Untold as untold:
                status = {401: "denied", 403: "denied", 404: "missing", 410: "missing"}.get(untold.code, "ran")
                exit_ = None if status != "ran" else untold.code or 1
                said = untold.reason if untold.code == 0 else "HTTP %d: %s" % (untold.code, untold.reason)
                ended = ended._replace(status=status, exit=exit_, reason=said, err=said.encode("utf-8", "replace"))
            except Exception as error:  # one answer's surprise costs that answer only
                said = "not understood: %s" % type(error).__name__
                ended = ended._replace(exit=1, err=said.encode("ascii", "replace"), reason=said)
        self.emit(read["id"], "", "GET " + url, ended._replace(seconds=time.monotonic() - clock))

    def collected(self, read: Dict[str, Any], base: str) -> Dict[str, Any]:
        """The rows of a read with all their pages, or those about each row of another read."""
        if not read["each"]:
            return self.paged(read, base, base + read["path"])
        if read["each"] not in self.rows:
            raise Silence("not-run", "%s had no answer" % read["each"])
        subjects = [
            row for row in self.rows[read["each"]] if all(row.get(key) == value for key, value in read["where"])
        ]
        whole = {"rows": [], "complete": True, "date": None, "version": "", "of": []}  # type: Dict[str, Any]
        for number, row in enumerate(subjects):
            id_ = str(row.get(read["by"], ""))
            if number >= read["limit"] or time.monotonic() > self.until:
                whole["complete"] = False
                break
            if not re.match(r"[\w.:-]{1,255}\Z", id_):
                raise Untold(0, "an id of %s is not one" % read["each"])
            try:
                answer = self.paged(read, base, base + read["path"].replace("{id}", id_))
            except Untold as untold:
                if untold.code != 404:
                    raise
                continue  # it went in the meantime
            whole["of"].append(id_)
            whole["rows"] += [dict(found, of=id_) for found in answer["rows"]]
            whole["complete"] = whole["complete"] and answer["complete"]
            whole["date"], whole["version"] = answer["date"], answer["version"]
        return whole

    def paged(self, read: Dict[str, Any], base: str, url: str) -> Dict[str, Any]:
        """The rows at ``url`` and at the links to its next pages, as long as these are of the same service."""
        whole = {"rows": [], "complete": True, "date": None, "version": ""}  # type: Dict[str, Any]
        query = read["query"].replace(
            "{hour_ago}", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
        )
        place = url + ("?" + query if query else "")  # type: Optional[str]
        for page in range(read["pages"] + 1):
            if not place:
                return whole
            if page == read["pages"] or time.monotonic() > self.until:
                break
            value, date, version = self.document(read, place)
            found = value.get(read["rows"]) if read["rows"] else value
            rows = found if isinstance(found, list) else mapped(found) if read["mapped"] else [found]
            if not all(isinstance(row, dict) for row in rows):
                raise Untold(0, "not the answer of this API: no %s in it" % read["rows"])
            whole["rows"] += [{key: row[key] for key in read["keep"] if key in row} for row in rows]
            whole["date"] = date if whole["date"] is None else whole["date"]
            whole["version"] = version
            place = next_page(value, read["rows"], base)
        whole["complete"] = False
        return whole

    def document(self, read: Dict[str, Any], url: str) -> Tuple[Any, Optional[float], str]:
        """The JSON object at ``url``, the service's clock, and the microversion that it was asked for in."""
        service, wanted = read["service"], read["version"]
        version = self.versions.get((service, wanted), wanted)
        reply = self.get(url, version_headers(service, version), self.until, True)
        if reply.code in (400, 406) and version:  # of an older release than the one that has this version
            version = most_of(reply.body, wanted)
            self.versions[service, wanted] = version
            reply = self.get(url, version_headers(service, version), self.until, True)
        if not 200 <= reply.code < 300:
            raise Untold(reply.code, said_in(reply.body))
        try:
            value = json.loads(reply.body.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise Untold(0, "its answer is not JSON: %s" % str(error)[:200]) from None
        if not isinstance(value, dict):
            raise Untold(0, "its answer is not a JSON object")
        date = seconds_of(reply.headers.get("date", ""))
        if date is not None:
            self.ahead = date - time.time()
        elif self.ahead is not None:  # uWSGI says no date: the service's neighbours' will do
            date = time.time() + self.ahead
        return value, date, version


def turn_of(read: Dict[str, Any]) -> int:
    return 2 if read["late"] else 1 if read["each"] else 0


def mapped(found: Any) -> List[Any]:
    """A mapping of objects as rows, each with its key as ``id``."""
    if not isinstance(found, dict):
        raise Untold(0, "not the answer of this API")
    return [dict(value, id=key) if isinstance(value, dict) else None for key, value in found.items()]


def next_page(value: Dict[str, Any], rows: str, base: str) -> Optional[str]:
    """The link to the next page, only where it leads to the same service: a token goes nowhere else.

    Behind a proxy that ends TLS a service may write http and its own port into its links: of these the query counts.
    """
    links = value.get(rows + "_links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "next":
            href = urllib.parse.urlsplit(str(link.get("href", "")))
            own = urllib.parse.urlsplit(base)
            tail = href.path.rpartition(own.path.rstrip("/") + "/")[2] if own.path in href.path else ""
            if not tail or ".." in tail:
                raise Untold(0, "its link to the next page leads elsewhere")
            return base + tail.lstrip("/") + ("?" + href.query if href.query else "")
    return None


def version_headers(service: str, version: str) -> Dict[str, str]:
    if not version or service not in VERSIONED:
        return {}
    name, older = VERSIONED[service]
    headers = {"OpenStack-API-Version": "%s %s" % (name, version)}
    if older:
        headers[older] = version
    return headers


def most_of(body: bytes, wanted: str) -> str:
    """The highest microversion that a refusal names, if that is lower than what was wanted; else none is asked for."""
    found = re.search(rb"maximum is (\d{1,3}\.\d{1,4})|\"max_version\": ?\"(\d{1,3}\.\d{1,4})\"", body[:8192])
    if found is None:
        return ""
    most = (found.group(1) or found.group(2)).decode("ascii")
    return most if numbers(most) < numbers(wanted) else ""


def numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def version_root(url: str) -> str:
    """An endpoint without project: ``http://192.0.2.1:8776/v3/0123`` is answered at ``http://192.0.2.1:8776/v3/``."""
    match = re.match(r"(https?://[^/?#\s]{1,300}(?:/[^?#\s]{0,300}?)?/v\d[\d.]{0,4})(?:/|\Z)", url)
    return (match.group(1) if match else url.rstrip("/")) + "/"


def said_in(body: bytes) -> str:
    """What an error's body says, as one line without markup."""
    text = body[:2048].decode("utf-8", "replace")
    found = re.search(r'"(?:message|detail|title)": ?"((?:[^"\\]|\\.){1,300})', text)
    text = found.group(1) if found else re.sub(r"<[^>]{0,200}>", " ", text)
    return " ".join(text.split())[:300]


def seconds_of(date: str) -> Optional[float]:
    """An HTTP date as seconds since the epoch."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
