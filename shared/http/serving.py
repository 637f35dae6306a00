"""Runs an application on uvicorn, with a clear sentence where a port cannot be had."""

import errno
import socket
import sys
from types import FrameType

import structlog
import uvicorn
from starlette.types import ASGIApp

from shared.http.timed_protocol import TimeLimits, timed_protocol
from shared.telemetry import shutdown_traces

_log = structlog.get_logger(__name__)

BACKLOG = 2048  # connections that wait while a thousand clients arrive at once

SEND_BUFFER_BYTES = 128 * 1024
"""What the kernel keeps of an answer that its client does not read; Linux takes twice as much. Left alone it goes up to
4 MiB a connection: gigabytes for some thousand clients that read nothing, and no stream of tokens would ever stall."""


def serve(
    app: ASGIApp,
    host: str,
    port: int,
    log_level: str = "INFO",
    *,
    port_setting: str,
    graceful_shutdown_s: int = 10,
    time_limits: TimeLimits | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests end for `graceful_shutdown_s` at most.

    `port_setting` is the name of the setting that chooses the port; port 0 takes any free one. Raises SystemExit(1)
    with a sentence on stderr if the address cannot be had.
    """
    listener = _listen(host, port, port_setting)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=timed_protocol(time_limits or TimeLimits()),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level=log_level.lower(),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,  # longer than clients and proxies keep idle connections, so that they close first
        timeout_graceful_shutdown=graceful_shutdown_s,
    )
    _log.info("listening", host=host, port=listener.getsockname()[1])
    try:
        _Server(config).run(sockets=[listener])
    finally:
        shutdown_traces()


class _Server(uvicorn.Server):
    """Uvicorn raises the signal again after a graceful end; a clean stop is exit status 0 here."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def _listen(host: str, port: int, port_setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(f"Port {port} on {host} is taken: stop what uses it or set {port_setting}.")
        sys.exit(
            f"Port {port} on {host} cannot be opened ({error.strerror}): set {port_setting}, or the host beside it."
        )
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # its connections inherit it
    return listener
