"""A stand-in for the Hugging Face hub: real HTTP, the endpoints and headers that huggingface_hub uses.

Modelled on the library's requests: `GET /api/models/{repo}[/revision/{rev}]?blobs=true` for the files, then
`HEAD|GET /{repo}/resolve/{rev}/{file}`, which sends large files on to another server as the hub does to its CDN.
"""

import hashlib
import json
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    range: str
    authorization: str


@dataclass
class Hub:
    """What the hub has, what goes wrong with it, and what was asked of it."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By repository: the status and X-Error-Code of its files."""
    refuses_listing: bool = True
    """Whether a refusal is that of the listing too: a gated repository shows its names to everybody."""
    cuts: list[tuple[int, Literal["reset", "close", "hang"]]] = field(default_factory=list)
    """Each of the next answers with a file breaks off after so many bytes."""
    served: dict[str, bytes] = field(default_factory=dict)
    """By path: what comes instead of the file that the listing describes."""
    is_lfs: bool = True
    ignores_ranges: bool = False
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    cdn_url: str = ""

    def gets(self) -> list[Asked]:
        """Requests for a file's bytes."""
        return [asked for asked in self.asked if asked.method == "GET" and asked.path.startswith("/cdn/")]

    def listing(self, repo: str) -> dict[str, Any]:
        return {
            "_id": "1",
            "id": repo,
            "sha": COMMIT,
            "private": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": [self._sibling(path, content) for path, content in self.repos[repo].items()],
        }

    def _sibling(self, path: str, content: bytes) -> dict[str, Any]:
        git_id = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        described: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git_id}
        if self.is_lfs:
            sha256 = hashlib.sha256(content).hexdigest()
            described["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
        return described


@contextmanager
def running_hub(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` until the block is left; `hub.url` is what HF_ENDPOINT must be."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub)) for _ in range(2)]
    hub.url, hub.cdn_url = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:  # noqa: C901  # it counts the methods of the class as its own
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET")

        def do_HEAD(self) -> None:
            self._answer("HEAD")

        def log_message(self, format: str, *arguments: object) -> None:
            """Quietly."""

        def _answer(self, method: str) -> None:
            path = unquote(urlsplit(self.path).path)
            headers = self.headers
            hub.asked.append(Asked(method, path, headers.get("Range", ""), headers.get("Authorization", "")))
            if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
                self._list(found[1], found[2] or "main")
            elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self._resolve(found[1], found[3])
            elif found := re.fullmatch(r"/cdn/([^/]+/[^/]+)/(.+)", path):
                self._send_file(hub.served.get(found[2], hub.repos[found[1]][found[2]]))
            else:
                self._refuse(404, "")

        def _list(self, repo: str, revision: str) -> None:
            if repo in hub.refusals and hub.refuses_listing:
                self._refuse(*hub.refusals[repo])
            elif repo not in hub.repos:
                self._refuse(404, "RepoNotFound")
            elif revision not in ("main", COMMIT):
                self._refuse(404, "RevisionNotFound")
            else:
                self._send(200, {"Content-Type": "application/json"}, json.dumps(hub.listing(repo)).encode())

        def _resolve(self, repo: str, path: str) -> None:
            if repo in hub.refusals:
                self._refuse(*hub.refusals[repo])
                return
            content = hub.repos[repo][path]
            digest = hashlib.sha256(content).hexdigest()
            headers = {
                "Location": f"{hub.cdn_url}/cdn/{repo}/{path}",
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(content)),
                "ETag": f'"{digest}"',
            }
            self._send(302, headers, b"")

        def _send_file(self, content: bytes) -> None:
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            begin = int(found[1]) if found and not hub.ignores_ranges else 0
            headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Accept-Ranges": "bytes"}
            if begin:
                headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            body = content[begin:]
            if hub.cuts:
                self._break_off(206 if begin else 200, headers, body, *hub.cuts.pop(0))
            else:
                self._send(206 if begin else 200, headers, body)

        def _break_off(self, status: int, headers: dict[str, str], body: bytes, after: int, how: str) -> None:
            self._send(status, headers, body[:after], length=len(body))
            self.wfile.flush()
            if how == "hang":
                self.connection.recv(1)  # until the client goes
            if how == "reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()

        def _refuse(self, status: int, code: str) -> None:
            headers = {"X-Error-Message": "Refused."} | ({"X-Error-Code": code} if code else {})
            self._send(status, headers, b"{}")

        def _send(self, status: int, headers: dict[str, str], body: bytes, length: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
