"""The worker's operations endpoint: /livez, /readyz and /metrics over plain HTTP."""

import errno
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

import orjson

from shared.settings import ConfigurationError
from shared.telemetry import render_metrics

Checks = Callable[[], dict[str, str]]
"""Names of what is looked at, each with "ok" or what is wrong."""


class _Server(ThreadingTCPServer):
    """Not http.server's own class: that one asks the name server for this host's name, which may take seconds."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]):
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), handler)


class Operations:
    """Serves in daemon threads; says 503 as long as a check is not "ok"."""

    def __init__(self, host: str, port: int, *, liveness: Checks, readiness: Checks):
        """Raises ConfigurationError if the port cannot be had. Port 0 takes any free one: see `port`."""
        pages: dict[str, Checks] = {"/livez": liveness, "/readyz": readiness}
        try:
            self._server = _Server(host, port, _handler(pages))
        except OSError as error:
            wrong = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror})"
            raise ConfigurationError(
                f"Port {port} on {host} {wrong}: stop what uses it, or set WORKER_METRICS_PORT (0: off)."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="operations", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


def _handler(pages: dict[str, Checks]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10  # seconds for a request's line and headers

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                text, content_type = render_metrics()
                self._answer(200, text, content_type)
            elif checks := pages.get(path):
                results = checks()
                is_good = all(result == "ok" for result in results.values())
                body = orjson.dumps({"status": "ok" if is_good else "unavailable", "checks": results})
                self._answer(200 if is_good else 503, body, "application/json")
            else:
                self._answer(404, b'{"status":"not found"}', "application/json")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes come every few seconds and say nothing."""

    return Handler
