"""A container's health check: `healthcheck.py VARIABLE=PORT PATH [SECONDS]`; status 0 when that path answers 200.

The port is the variable's value, or PORT where it is not set. Only the standard library, and little of it, because it
runs every few seconds. With SECONDS, a service whose /livez was good once and then bad for so long is killed, and the
restart policy starts it again: Docker itself restarts what ends, not what hangs. That needs `init: true`, because
nobody can kill process 1 from within.
"""

import os
import signal
import socket
import sys
import time

TIMEOUT_S = 4
ALIVE = "/tmp/healthcheck-alive"


def answers(port: int, path: str) -> bool:
    """Whether a GET there is answered with 200 in time."""
    request = f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(4096):  # to its end: a server that is cut off says so in its log
                answer += piece
            return answer.split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def alive_ago_s() -> float:
    """Seconds since /livez was good, 0 before the first time."""
    try:
        return time.time() - os.stat(ALIVE).st_mtime
    except FileNotFoundError:
        return 0.0


def is_service(process: str) -> bool:
    """Whether the container's init has started it as a service: `python -m worker.main`."""
    with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
        parent = file.read().rpartition(")")[2].split()[1]
    with open(f"/proc/{process}/cmdline", "rb") as file:
        words = file.read().split(b"\0")
    return parent == "1" and b"-m" in words and any(word.endswith(b".main") for word in words)


def end_service() -> None:
    """Kill it; the init then ends, too, and with it the container."""
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if is_service(process):
                os.kill(int(process), signal.SIGKILL)
        except OSError:
            continue  # it has ended meanwhile


def main() -> int:
    """The exit status."""
    (variable, _, default), path, *hung_after_s = sys.argv[1].partition("="), *sys.argv[2:]
    port = int(os.environ.get(variable) or default)
    if hung_after_s:
        if answers(port, "/livez"):
            with open(ALIVE, "w", encoding="ascii"):
                os.utime(ALIVE)
        elif alive_ago_s() > float(hung_after_s[0]):
            end_service()
            return 1
    return 0 if answers(port, path) else 1


if __name__ == "__main__":
    sys.exit(main())
