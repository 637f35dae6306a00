"""F15: requests are cancelled, or their clients leave, at random times."""

import contextlib
import http.client
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import redis

from tests.fault.arena import Arena
from tests.fault.asking import ask
from tests.fault.faults import Fault
from tests.fault.figures import Quantiles
from tests.fault.tenants import make_key
from tests.stack import wait_until

LANES = 4
TOKENS = 400
USED_TOKENS = 160
"""More than the prompt and the tokens that come until the cancel; what is reserved beyond it must be given back."""

LATEST_S = 0.8
NOTICED_S = 10.0


@dataclass(frozen=True)
class Stopped:
    """One job that was stopped: how, its state then, and the seconds until its slot was free."""

    kind: str
    job_id: str
    state: str
    freed_s: float


def scenario(arena: Arena) -> None:
    wanted = arena.count(short=20, long=500)
    tokens_per_minute = 2 * wanted * USED_TOKENS + LANES * (TOKENS + USED_TOKENS)
    key, key_id = make_key(
        arena.stack,
        f"stopped-{arena.seed}-{time.time_ns()}",
        tokens_per_minute=tokens_per_minute,
        requests_per_minute=0,
        concurrent_jobs=LANES,
    )
    kinds = ["cancel"] * wanted + ["disconnect"] * wanted
    arena.chance.shuffle(kinds)
    with ThreadPoolExecutor(LANES) as pool:
        stopped = list(pool.map(lambda one: _stop(arena, key, *one), enumerate(kinds)))
    _judge(arena, key_id, stopped, tokens_per_minute)


def _judge(arena: Arena, key_id: str, stopped: list[Stopped], tokens_per_minute: int) -> None:
    for kind in ("cancel", "disconnect"):
        of_kind = [one.freed_s for one in stopped if one.kind == kind and one.state == "cancelled"]
        arena.figure(f"{kind} → slot free (s)", Quantiles.of(of_kind))
    states = {one.state for one in stopped}
    arena.expect(states <= {"cancelled", "done"}, f"stopped jobs ended as {states}")
    with arena.redis() as client:
        wait_until(lambda: client.zcard(f"rl:{key_id}:c") == 0, "all slots of the key are given back", NOTICED_S)
        bucket = client.hget(f"rl:{key_id}:t", "taken")
        used = sum(int(client.hget(f"job:{one.job_id}", "used") or 0) for one in stopped)
    level = float(bucket or 0)
    arena.figure("tokens used / still held of the key's limit", f"{used} / {level:.0f} of {tokens_per_minute}")
    arena.expect(level <= used + 1, f"{level:.0f} tokens are held though only {used} were used")


def _stop(arena: Arena, key: str, number: int, kind: str) -> Stopped:
    """One stream that is stopped at a random time, most of them while tokens flow."""
    chance = random.Random(f"{arena.seed}-{number}")
    urls = arena.gateways()
    parts = urlsplit(chance.choice(urls))
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    body = {
        "model": arena.stack.model,
        "messages": [{"role": "user", "content": f"Stopped number {number}"}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
    }
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with contextlib.closing(connection), arena.redis() as client:
        connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        job_id = answer.headers["x-job-id"]
        end = time.monotonic() + chance.uniform(0, LATEST_S)
        while time.monotonic() < end and answer.read1(4096):
            pass
        begun = time.monotonic()
        if kind == "cancel":
            cancelled = ask(chance.choice(urls), "POST", f"/v1/jobs/{job_id}/cancel", key=key)
            assert cancelled.status == 200, cancelled
        else:
            answer.close()
            connection.close()
        arena.inject.note(Fault(kind, "stream", float("inf")))
        return Stopped(kind, job_id, *_freed(client, job_id, begun))


def _freed(client: redis.Redis, job_id: str, begun: float) -> tuple[str, float]:
    """The job's final state, and the seconds from `begun` until it held neither a lease nor a place in a queue."""
    while True:
        found = client.hget(f"job:{job_id}", "state")
        state = found.decode() if isinstance(found, bytes) else "gone"
        if state not in ("queued", "running"):
            return state, time.monotonic() - begun
        assert time.monotonic() < begun + NOTICED_S, f"job {job_id} is still {state}"
        time.sleep(0.002)


def test_stopped_jobs_give_their_slots_and_tokens_back(arena: Arena) -> None:
    scenario(arena)
