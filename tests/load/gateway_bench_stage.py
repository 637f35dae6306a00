"""What a gateway needs around it to be measured alone: a real Redis, somebody who says yes to keys, and its process."""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import psutil

from tests.servers import free_port, redis_server
from tests.stack import ROOT

_FILES = 16_384
"""Open files that the gateway and the clients may have: a stream is one in each."""
_START_S = 90.0


class _Keys(BaseHTTPRequestHandler):
    """The session service, as far as a request without a session needs it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer({"tenant_id": "t", "key_id": "k", "role": "user", "limits": {}})

    def do_GET(self) -> None:
        self._answer({"status": "ok"})

    def _answer(self, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quietly."""


@dataclass(frozen=True)
class Stage:
    """A gateway that is ready, and nobody else at its Redis."""

    redis_url: str
    port: int
    process: psutil.Process

    def cpu_s(self) -> float:
        """What the gateway has used of a core, all threads, in user mode and in the kernel."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_bytes(self) -> int:
        return int(self.process.memory_info().rss)


@contextmanager
def stage() -> Iterator[Stage]:
    """Ends everything it started."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, most), most))
    keys = ThreadingHTTPServer(("127.0.0.1", 0), _Keys)
    threading.Thread(target=keys.serve_forever, daemon=True).start()
    port = free_port()
    with redis_server() as redis_url:
        settings = {
            "REDIS_URL": redis_url,
            "DROVER_INTERNAL_TOKEN": "bench",
            "GATEWAY_PORT": str(port),
            "GATEWAY_MAX_QUEUED_JOBS": "100000",
            "GATEWAY_SESSION_SERVICE_URL": f"http://127.0.0.1:{keys.server_port}",
        }
        command = [sys.executable, "-m", "gateway.main"]
        gateway = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_until_live(f"http://127.0.0.1:{port}/livez", gateway)
            yield Stage(redis_url, port, psutil.Process(gateway.pid))
        finally:
            gateway.terminate()
            gateway.wait(60)
            keys.shutdown()
            keys.server_close()


def _wait_until_live(url: str, gateway: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and gateway.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("The gateway did not start: `python -m gateway.main` says why.")
