"""F19: many turns on one session at once, the same Idempotency-Key many times at once, and with another body."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.fault.arena import Arena
from tests.fault.asking import Answer, ask
from tests.fault.faults import Fault

AT_ONCE = 50
TOKENS = 400
"""Six seconds: the last of the fifty asks before the first has its answer."""

FEWER_TOKENS = 100
"""Where it makes no difference whether the answer is there already."""


def scenario(arena: Arena) -> None:
    for number in arena.times(short=1, long=20):
        name = f"{arena.seed}-{number}-{time.time_ns()}"
        _turns_on_one_session(arena, f"turns-{name}")
        _one_key_many_times(arena, f"key-{name}")


def _turns_on_one_session(arena: Arena, name: str) -> None:
    """One is answered, the others hear that a turn is in progress; the session has one question and one reply."""
    session_id = arena.client().create_session()
    answers = _at_once(arena, [_body(arena, f"{name} {lane}", session_id) for lane in range(AT_ONCE)], [{}] * AT_ONCE)
    statuses = Counter(answer.status for answer in answers)
    arena.figure("turns at once", dict(statuses))
    arena.expect(statuses == {200: 1, 409: AT_ONCE - 1}, f"{AT_ONCE} turns at once were answered {dict(statuses)}")
    codes = {answer.json["error"]["code"] for answer in answers if answer.status == 409}
    arena.expect(codes == {"turn_in_progress"}, f"the 409s have the codes {codes}")
    _expect_one_turn(arena, session_id)


def _one_key_many_times(arena: Arena, key: str) -> None:
    """All get the same answer of one job; the same key with another body is a 422."""
    session_id = arena.client().create_session()
    body, header = {**_body(arena, key, session_id), "max_tokens": FEWER_TOKENS}, {"Idempotency-Key": key}
    answers = _at_once(arena, [body] * AT_ONCE, [header] * AT_ONCE)
    statuses = Counter(answer.status for answer in answers)
    arena.figure("one key at once", dict(statuses))
    arena.expect(statuses == {200: AT_ONCE}, f"one key {AT_ONCE} times was answered {dict(statuses)}")
    good = [answer for answer in answers if answer.status == 200]
    jobs = {answer.headers["x-job-id"] for answer in good}
    texts = {answer.json["choices"][0]["message"]["content"] for answer in good}
    arena.expect(len(jobs) == len(texts) == 1, f"one key made {len(jobs)} jobs and {len(texts)} texts")
    _expect_one_turn(arena, session_id)

    plain = {**_body(arena, key), "max_tokens": 4}
    first = _send(arena, plain, {"Idempotency-Key": f"{key}-plain"}, 0)
    for other in ({**plain, "max_tokens": 5}, {**plain, "stream": True, "seed": 1}):
        refused = _send(arena, other, {"Idempotency-Key": f"{key}-plain"}, 1)
        arena.expect((first.status, refused.status) == (200, 422), f"the same key, another body: {refused.status}")


def _expect_one_turn(arena: Arena, session_id: str) -> None:
    url = arena.gateways()[0]
    listed = ask(url, "GET", f"/v1/sessions/{session_id}/messages", key=arena.stack.api_key).json["data"]
    roles = [message["role"] for message in listed]
    arena.expect(roles == ["user", "assistant"], f"the session has the messages {roles}")


def _at_once(arena: Arena, bodies: list[dict[str, Any]], headers: list[dict[str, str]]) -> list[Answer]:
    """All sent in the same moment, to all gateways in turn."""
    ready = threading.Barrier(len(bodies))

    def send(lane: int) -> Answer:
        ready.wait()
        arena.inject.note(Fault("request at once", "gateway", float("inf")))
        return _send(arena, bodies[lane], headers[lane], lane)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(send, range(len(bodies))))


def _send(arena: Arena, body: dict[str, Any], headers: dict[str, str], lane: int) -> Answer:
    urls = arena.gateways()
    return ask(
        *(urls[lane % len(urls)], "POST", "/v1/chat/completions", body),
        key=arena.stack.api_key,
        headers=headers,
    )


def _body(arena: Arena, prompt: str, session_id: str | None = None) -> dict[str, Any]:
    return {
        "model": arena.stack.model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        **({"session_id": session_id} if session_id else {}),
    }


def test_one_turn_comes_of_many_requests_at_once(arena: Arena) -> None:
    scenario(arena)
