"""`python -m tests.integration.gateway.bench [streams] [tokens] [tokens per event]`: CPU time of one gateway per token.

The gateway is a process of its own; jobs are written to the ledger as fast as its scripts take them, the clients read
bytes and do not parse. What is printed is CPU time of the gateway's process, so a busy machine changes it little.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import redis

from shared.events import FinalEvent, TokensEvent
from shared.ledger import Claimed, Ledger
from tests.servers import redis_server

ROOT = Path(__file__).parents[3]


class Keys(BaseHTTPRequestHandler):
    """Says yes to every key."""

    def do_POST(self) -> None:
        answer = json.dumps({"tenant_id": "t", "key_id": "k", "role": "user", "limits": {}}).encode()
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        return


def read_all(port: int, seen: dict[str, int]) -> None:
    body = json.dumps(
        {"model": "drover-tiny", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    ).encode()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        tail = b""
        while b"[DONE]" not in tail:
            data = client.recv(262_144)
            assert data, tail
            seen["chunks"] += data.count(b'"delta":{"content"')
            seen["reads"] += 1
            tail = (tail + data)[-200:]


def write_all(url: str, streams: int, tokens: int, per_event: int, pause_s: float) -> None:
    with redis.Redis.from_url(url) as client:
        ledger = Ledger(client)
        claims: list[Claimed] = []
        while len(claims) < streams:
            for raw in client.zrange("jobs:queued:model.drover-tiny", 0, -1):
                claimed = ledger.claim(raw.decode(), worker_id="w", claim_id=uuid4().hex, lease_ms=600_000)
                if isinstance(claimed, Claimed):
                    claims.append(claimed)
        time.sleep(1)
        for first in range(1, tokens + 1, per_event):
            ids = list(range(per_event))
            ledger.append([TokensEvent(c.job.id, first, c.epoch, ids, [" token"] * per_event) for c in claims])
            time.sleep(pause_s)
        for c in claims:
            ledger.finish(FinalEvent(c.job.id, tokens, c.epoch, "length"))


def main(streams: int = 16, tokens: int = 2000, per_event: int = 1, pause_ms: float = 0.0) -> None:
    keys = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=keys.serve_forever, daemon=True).start()
    with redis_server() as url, socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
        found.close()
        environment = {
            **os.environ,
            "REDIS_URL": url,
            "DROVER_INTERNAL_TOKEN": "x",
            "GATEWAY_PORT": str(port),
            "GATEWAY_MAX_QUEUED_JOBS": "100000",
            "GATEWAY_SESSION_SERVICE_URL": f"http://127.0.0.1:{keys.server_port}",
        }
        gateway = subprocess.Popen([sys.executable, "-m", "gateway.main"], cwd=ROOT, env=environment)
        try:
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/livez")
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            seen = {"chunks": 0, "reads": 0}
            clients = [threading.Thread(target=read_all, args=(port, seen)) for _ in range(streams)]
            for client in clients:
                client.start()
            writer = threading.Thread(target=write_all, args=(url, streams, tokens, per_event, pause_ms / 1000))
            writer.start()
            time.sleep(0.9)
            process = psutil.Process(gateway.pid)
            memory = process.memory_info().rss
            before, started = process.cpu_times(), time.monotonic()
            for client in clients:
                client.join()
            after, ended = process.cpu_times(), time.monotonic()
            cpu_s = after.user + after.system - before.user - before.system
            total = streams * tokens
            sys.stdout.write(
                f"{total} tokens, {seen['chunks']} chunks in {seen['reads']} reads, {ended - started:.2f} s, "
                f"gateway CPU {cpu_s:.2f} s: "
                f"{cpu_s / total * 1e6:.1f} µs a token, {total / cpu_s:.0f} tokens/s a core; "
                f"RSS {memory / 2**20:.0f} MiB\n"
            )
        finally:
            gateway.terminate()
            gateway.wait(30)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]), *(float(argument) for argument in sys.argv[4:5]))
