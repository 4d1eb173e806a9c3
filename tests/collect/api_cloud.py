"""A cloud's APIs on loopback: real HTTP, with the answers that a Zed cloud gave, and any of them broken."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SAMPLE = Path(__file__).parent.parent / "facts" / "samples" / "openstack" / "zed.json"
PASSWORD = "s3cr3t-of-admin"
TOKEN = "gAAAAABtoken-of-the-test-0123456789"

PLACES = {
    "api.compute.services": ("/compute/v2.1/os-services", "services"),
    "api.compute.hypervisors": ("/compute/v2.1/os-hypervisors/detail", "hypervisors"),
    "api.compute.servers": ("/compute/v2.1/servers/detail", "servers"),
    "api.network.agents": ("/network/v2.0/agents", "agents"),
    "api.network.ports": ("/network/v2.0/ports", "ports"),
    "api.volume.services": ("/volume/v3/p1/os-services", "services"),
    "api.placement.providers": ("/placement/resource_providers", "resource_providers"),
}


@dataclass
class Answer:
    """What is said at one path; ``act`` is called with the handler instead, where there is one."""

    code: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    act: Callable[[BaseHTTPRequestHandler], None] | None = None


class FakeCloud:
    """``url`` is Keystone's.  ``asked`` are method, path with query, and headers of every request."""

    def __init__(self, port: int) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.url = self.root + "/identity/v3"
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.answers: dict[str, Answer] = {}
        for row in json.loads(SAMPLE.read_text()):
            if row["probe"] in PLACES:
                path, key = PLACES[row["probe"]]
                self.say(path, {key: row["stdout"]["rows"]})

    def say(self, path: str, value: Any, code: int = 200, **headers: str) -> None:
        """Answer ``path`` with JSON."""
        self.answers[path] = Answer(code, json.dumps(value).encode(), headers)

    def catalog(self) -> list[dict[str, Any]]:
        """The catalog that comes with a token of v3."""
        paths = {
            "identity": "/identity/v3",
            "compute": "/compute/v2.1",
            "network": "/network",
            "volumev3": "/volume/v3/p1",
            "placement": "/placement",
        }
        return [
            {
                "type": type_,
                "name": type_,
                "id": type_,
                "endpoints": [
                    {"interface": i, "region": "R1", "region_id": "R1", "url": self.root + path, "id": type_ + i}
                    for i in ("public", "internal")
                ],
            }
            for type_, path in paths.items()
        ]

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """What is said to one request."""
        if path in self.answers:
            return self.answers[path]
        if method == "POST" and path == "/identity/v3/auth/tokens":
            if PASSWORD.encode() not in body:
                return Answer(401, b'{"error": {"message": "The request you have made requires authentication."}}')
            token = {
                "methods": ["password"],
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "user": {"id": "u", "name": "admin", "domain": {"id": "default", "name": "Default"}},
                "project": {"id": "p1", "name": "admin", "domain": {"id": "default", "name": "Default"}},
                "roles": [{"id": "r", "name": "admin"}],
                "catalog": self.catalog(),
            }
            return Answer(201, json.dumps({"token": token}).encode(), {"X-Subject-Token": TOKEN})
        if path.rstrip("/") in ("/compute/v2.1", "/network", "/volume/v3", "/placement", "/identity/v3"):
            links = [{"rel": "self", "href": self.root + path.rstrip("/") + "/"}]
            return Answer(200, json.dumps({"version": {"id": "v3.14", "status": "stable", "links": links}}).encode())
        return Answer(404, b'{"itemNotFound": {"message": "The resource could not be found."}}')


@contextlib.contextmanager
def served(tls: ssl.SSLContext | None = None) -> Iterator[FakeCloud]:
    """A cloud that answers until the block ends, over TLS where there is a context for it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            cloud.asked.append((self.command, self.path, dict(self.headers)))
            answer = cloud.answer(self.command, urlsplit(self.path).path, body)
            if answer.act is not None:
                answer.act(self)
                self.close_connection = True
                return
            self.send_response(answer.code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    cloud = FakeCloud(server.server_address[1])
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        cloud.root = cloud.root.replace("http:", "https:")
        cloud.url = cloud.url.replace("http:", "https:")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
