"""The APIs that a smoke check calls, on loopback: real HTTP, a small cloud behind it that keeps what is made."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PASSWORD = "s3cr3t-of-smoke"
PROJECT = "11111111111111111111111111111111"
NEUTRON = ("networks", "subnets", "ports", "routers", "security-groups", "security-group-rules", "floatingips")
ADDRESS = "10.199.87.17"

Answer = tuple[int, Any]


@dataclass
class SmokeCloud:
    """``rows`` are what there is, by collection.  ``fails`` maps method and the end of a path to an answer."""

    root: str
    heat: bool = False
    image: dict[str, Any] = field(default_factory=lambda: picture("small", 20))
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    fails: dict[tuple[str, str], Answer] = field(default_factory=dict)
    console: str = f"eth0: {ADDRESS}/24 by DHCP"
    server_status: str = "ACTIVE"
    port_id: str = ""
    stack_states: tuple[str, ...] = ("CREATE_IN_PROGRESS", "CREATE_COMPLETE")
    deleted: dict[str, dict[str, Any]] = field(default_factory=dict)
    on: Callable[[str, str], None] = lambda method, path: None

    @property
    def left(self) -> dict[str, list[str]]:
        """What is there that was not there before the check."""
        return {name: list(rows) for name, rows in self.rows.items() if rows and name != "security-group-rules"}

    def of(self, name: str) -> dict[str, dict[str, Any]]:
        return self.rows.setdefault(name, {})

    # -- one request

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Answer:
        self.asked.append((method, path))
        self.on(method, path)
        for (wanted, end), said in self.fails.items():
            if method == wanted and path.endswith(end):
                return said
        parts = [part for part in path.split("/") if part]
        service, rest = parts[0], parts[1:]
        known = {"identity": self.keystone, "compute": self.nova, "network": self.neutron, "image": self.glance}
        return {**known, "volume": self.cinder, "heat": self.orchestration}[service](method, rest, query, body)

    def keystone(self, method: str, rest: list[str], query: Any, body: dict[str, Any]) -> Answer:
        if rest[-1:] != ["tokens"]:
            return 200, {"version": {"id": "v3.14", "status": "stable", "links": self.link("/identity/v3/")}}
        if PASSWORD not in json.dumps(body):
            return 401, {"error": {"message": "The request you have made requires authentication.", "code": 401}}
        services = {"identity": "/identity/v3", "compute": "/compute/v2.1", "network": "/network", "image": "/image"}
        services["block-storage"] = f"/volume/v3/{PROJECT}"
        if self.heat:
            services["orchestration"] = f"/heat/v1/{PROJECT}"
        catalog = [
            {
                "type": kind,
                "name": kind,
                "id": kind,
                "endpoints": [
                    {"interface": "public", "region": "R1", "region_id": "R1", "id": kind, "url": self.root + place}
                ],
            }
            for kind, place in services.items()
        ]
        domain = {"id": "default", "name": "Default"}
        return 201, {
            "token": {
                "methods": ["password"],
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "user": {"id": "u", "name": "smoke", "domain": domain},
                "project": {"id": PROJECT, "name": "smoke", "domain": domain},
                "roles": [{"id": "r", "name": "member"}],
                "catalog": catalog,
            }
        }

    def link(self, place: str) -> list[dict[str, str]]:
        return [{"rel": "self", "href": self.root + place}]

    def version(self, place: str, id_: str, newest: str = "") -> Answer:
        return 200, {
            "version": {"id": id_, "status": "CURRENT", "version": newest, "min_version": newest and "2.1",
                        "links": self.link(place)}
        }  # fmt: skip

    def glance(self, method: str, rest: list[str], query: Any, body: Any) -> Answer:
        if not rest or rest == ["v2"]:
            return 200, {"versions": [{"id": "v2.15", "status": "CURRENT", "links": self.link("/image/v2/")}]}
        images = [self.image, picture("kernel", 1, disk_format="aki"), picture("large", 900)]
        if len(rest) > 2:
            found = next((row for row in images if row["id"] == rest[2]), None)
            return (200, found) if found else (404, {})
        name = query.get("name", [""])[0]
        return 200, {"images": [row for row in images if not name or row["name"] == name]}

    def neutron(self, method: str, rest: list[str], query: dict[str, list[str]], body: dict[str, Any]) -> Answer:
        if len(rest) < 2:
            return 200, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": self.link("/network/v2.0/")}]}
        kind = rest[1]
        if kind not in NEUTRON:
            return 404, {"NeutronError": {"message": "no such resource"}}
        one = kind.rstrip("s").replace("-", "_")
        if rest[3:4] == ["tags"]:
            self.of(kind)[rest[2]]["tags"] = body["tags"]
            return 200, body
        if rest[3:4] == ["add_router_interface"]:
            row = self.make("ports", {"device_id": rest[2], "device_owner": "network:router_interface", "name": ""})
            return 200, {"port_id": row["id"], "subnet_id": body["subnet_id"], "id": rest[2]}
        if rest[3:4] == ["remove_router_interface"]:
            del self.of("ports")[body["port_id"]]
            return 200, {"id": rest[2], **body}
        if method == "POST":
            row = self.make(kind, {"status": "ACTIVE", **body[one]}, self.port_id if kind == "ports" else "")
            if kind == "ports":
                row["fixed_ips"] = [{"subnet_id": "s", "ip_address": ADDRESS}]
            if kind == "floatingips":
                row["floating_ip_address"] = "203.0.113.9"
            return 201, {one: row}
        if method == "DELETE" and kind == "security-groups":
            holds = [row for row in self.of("ports").values() if rest[2] in row.get("security_groups", ())]
            if holds:
                return 409, {"NeutronError": {"message": "Security Group in use", "type": "SecurityGroupInUse"}}
        if method == "DELETE" and kind in ("networks", "subnets") and self.of("ports"):
            return 409, {"NeutronError": {"message": "One or more ports have an IP allocation", "type": "InUse"}}
        rows, (status, value) = list(self.of(kind).values()), self.one(method, kind, rest[2:], one)
        if len(rest) > 2:
            return status, value
        wanted = {name: values for name, values in query.items() if name in ("name", "device_id", "description", "id")}
        shown = [row for row in rows if all(str(row.get(name, "")) in values for name, values in wanted.items())]
        return 200, {kind.replace("-", "_"): shown}

    def nova(self, method: str, rest: list[str], query: dict[str, list[str]], body: dict[str, Any]) -> Answer:
        kind = rest[1] if len(rest) > 1 else ""
        if not kind:
            return self.version("/compute/v2.1/", "v2.1", "2.93")
        if kind == "flavors":
            rows = [size("tiny", 128, 1), size("big", 4096, 40), size("none", 64, 0)]
            found = next((row for row in rows if row["id"] == rest[-1]), None)
            if len(rest) > 2 and rest[2] != "detail":
                return (200, {"flavor": found}) if found else (404, {})
            return 200, {"flavors": rows}
        if rest[3:4] == ["action"]:
            return 200, {"output": self.console}
        if rest[3:4] == ["os-volume_attachments"]:
            return self.attachments(method, rest, body)
        if method == "POST":
            ask = body["server"]
            row = self.make("servers", {**ask, "status": self.server_status})
            if self.server_status == "ERROR":
                row["fault"] = {"message": "No valid host was found.", "code": 500}
            for network in ask["networks"]:
                self.of("ports")[network["port"]]["device_id"] = row["id"]
            return 202, {"server": row}
        if len(rest) > 2 and rest[2] != "detail":
            return self.one(method, "servers", rest[2:], "server")
        return 200, {"servers": list(self.of("servers").values())}

    def attachments(self, method: str, rest: list[str], body: dict[str, Any]) -> Answer:
        if method == "POST":
            volume = self.of("volumes")[body["volumeAttachment"]["volumeId"]]
            volume["status"], volume["attachments"] = "in-use", [{"server_id": rest[2]}]
            return 200, {"volumeAttachment": {"volumeId": volume["id"], "id": volume["id"], "serverId": rest[2]}}
        if method == "DELETE":
            self.of("volumes")[rest[4]].update(status="available", attachments=[])
            return 202, None
        return 200, {"volumeAttachments": []}

    def cinder(self, method: str, rest: list[str], query: Any, body: dict[str, Any]) -> Answer:
        if len(rest) < 3:
            return self.version(f"/volume/v3/{PROJECT}/", "v3.0", "3.70")
        if rest[2] == "attachments":
            return 200, {"attachments": []}
        if method == "POST":
            row = self.make("volumes", {**body["volume"], "status": "available", "attachments": []})
            return 202, {"volume": row}
        if len(rest) > 3 and rest[3] != "detail":
            return self.one(method, "volumes", rest[3:], "volume")
        return 200, {"volumes": list(self.of("volumes").values())}

    def orchestration(self, method: str, rest: list[str], query: Any, body: dict[str, Any]) -> Answer:
        """Heat's answers: a stack by its id alone is a redirection, one that was deleted is still shown for a while.

        heat/api/openstack/v1/__init__.py (stack_lookup, any method) and stacks.py (create gives id and links).
        """
        if len(rest) < 3:
            return 200, {"versions": [{"id": "v1.0", "status": "CURRENT", "links": self.link(f"/heat/v1/{PROJECT}/")}]}
        if method == "POST":
            states = iter(self.stack_states)
            stack = self.make("stacks", {"stack_name": body["stack_name"], "stack_status": next(states)})
            stack["made"], stack["next"] = self.build(body["template"]["resources"]), states
            return 201, {"stack": {"id": stack["id"], "links": self.link(self.stack_place(stack))}}
        if rest[2] != "stacks" or len(rest) < 4:
            return 404, {"error": {"message": "The resource could not be found."}}
        known = {**self.of("stacks"), **self.deleted}
        stack = next((row for row in known.values() if rest[3] in (row["id"], row["stack_name"])), None)
        if stack is None:
            return 404, {"code": 404, "error": {"message": f"The Stack ({rest[3]}) could not be found."}}
        if len(rest) == 4:
            return 302, {"Location": self.root + self.stack_place(stack)}
        if rest[5:] == ["resources"]:
            return 200, {"resources": [{k: v for k, v in row.items() if k != "of"} for row in stack["made"]]}
        if method == "DELETE":
            for row in stack["made"]:
                self.of(row["of"]).pop(row["physical_resource_id"], None)
            self.deleted[stack["id"]] = {**self.of("stacks").pop(stack["id"]), "stack_status": "DELETE_COMPLETE"}
            return 204, None
        stack["stack_status"] = next(stack["next"], stack["stack_status"])
        return 200, {"stack": {k: v for k, v in stack.items() if k not in ("made", "next")}}

    def stack_place(self, stack: dict[str, Any]) -> str:
        return f"/heat/v1/{PROJECT}/stacks/{stack['stack_name']}/{stack['id']}"

    def build(self, resources: dict[str, Any]) -> list[dict[str, Any]]:
        """What Heat makes of the template's server, port and volume; the volume is attached at once."""
        made = []
        places = {"OS::Nova::Server": "servers", "OS::Neutron::Port": "ports", "OS::Cinder::Volume": "volumes"}
        failed = self.stack_states[-1] == "CREATE_FAILED"
        for name, about in resources.items():
            if about["type"] in places:
                row = self.make(
                    places[about["type"]], {"name": about["properties"].get("name", name), "status": "ACTIVE"}
                )
                bad = failed and about["type"] == "OS::Nova::Server"
                made.append({"resource_name": name, "logical_resource_id": name, "resource_type": about["type"],
                             "resource_status": "CREATE_FAILED" if bad else "CREATE_COMPLETE",
                             "resource_status_reason": "ResourceInError: No valid host was found." if bad else "",
                             "physical_resource_id": row["id"], "of": places[about["type"]]})  # fmt: skip
        server = next(iter(self.of("servers")))
        for port in self.of("ports").values():
            port.update(device_id=server, network_id="n", fixed_ips=[{"subnet_id": "s", "ip_address": ADDRESS}])
        for volume in self.of("volumes").values():
            volume.update(status="in-use", attachments=[{"server_id": server}])
        return made

    # -- rows

    def make(self, kind: str, row: dict[str, Any], id_: str = "") -> dict[str, Any]:
        id_ = id_ or str(uuid.uuid4())
        self.of(kind)[id_] = made = {"id": id_, "project_id": PROJECT, **row}
        return made

    def one(self, method: str, kind: str, rest: list[str], name: str) -> Answer:
        row = self.of(kind).get(rest[0]) if rest else None
        if row is None:
            return 404, {"itemNotFound": {"message": "it could not be found", "code": 404}}
        if method == "DELETE":
            del self.of(kind)[rest[0]]
            return 204, None
        return 200, {name: row}


def picture(name: str, size: int, disk_format: str = "qcow2") -> dict[str, Any]:
    return {"id": f"image-{name}", "name": name, "status": "active", "size": size, "min_ram": 0, "min_disk": 0,
            "disk_format": disk_format, "os_hidden": False}  # fmt: skip


def size(name: str, ram: int, disk: int) -> dict[str, Any]:
    return {"id": f"flavor-{name}", "name": name, "ram": ram, "disk": disk, "vcpus": 1}


@contextlib.contextmanager
def served() -> Iterator[SmokeCloud]:
    """A cloud that answers until the block ends; every answer has a request id."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, value = cloud.answer(self.command, url.path, parse_qs(url.query), json.loads(sent or b"{}"))
            body = b"" if value is None else json.dumps(value).encode()
            self.send_response(code)
            self.send_header(
                "x-openstack-request-id", f"req-{uuid.uuid5(uuid.NAMESPACE_URL, f'{self.command} {url.path}')}"
            )
            if code == 302:
                self.send_header("Location", value["Location"])
            if code == 201 and url.path.endswith("/tokens"):
                self.send_header("X-Subject-Token", "gAAAAABtoken-of-the-test")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    cloud = SmokeCloud(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
