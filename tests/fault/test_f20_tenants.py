"""F20: every endpoint with another tenant's id, and cancels of two tenants whose answers must never mix."""

import contextlib
import json
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.fault.arena import Arena
from tests.fault.asking import Answer, ask
from tests.fault.client import Asked, Client, Received
from tests.fault.faults import Fault
from tests.fault.oracle import Oracle
from tests.fault.tenants import make_key

LANES = 4
TOKENS = 150
CANARIES = 8
NOT_A_TENANTS = {"model"}
"""Ids in a path that are everybody's."""

BODIES: dict[str, dict[str, Any]] = {
    "/v1/sessions/{session_id}/fork": {"message_id": "{message_id}"},
    "/v1/conversations/{conversation_id}": {"metadata": {}},
    "/v1/conversations/{conversation_id}/items": {"items": [{"role": "user", "content": "Hi"}]},
}
"""What a call needs besides the id in its path, so that only the id can be wrong."""

_VERBS = ("get", "post", "patch", "put", "delete")


def scenario(arena: Arena) -> None:
    stranger, _ = make_key(arena.stack, f"stranger-{arena.seed}-{time.time_ns()}", requests_per_minute=0)
    _expect_nothing_of_others(arena, stranger)
    _expect_no_foreign_canary(arena, [arena.stack.api_key, stranger])


def _expect_nothing_of_others(arena: Arena, stranger: str) -> None:
    """Another tenant's id is answered like one that never was: 404, the same to the letter but for the id."""
    ids = _made_by_the_owner(arena)
    described = ask(arena.gateways()[0], "GET", "/openapi.json").json["paths"]
    compared = 0
    for path, verbs in described.items():
        names = set(re.findall(r"{(\w+)}", path)) - NOT_A_TENANTS
        unknown = names - set(ids)
        arena.expect(not unknown, f"{path}: this test makes no {unknown} of another tenant; teach it to")
        for verb in verbs if names and not unknown else ():
            if verb in _VERBS:
                _compare(arena, stranger, verb.upper(), path, BODIES.get(path, {}), ids)
                compared += 1
    chat = {"model": arena.stack.model, "messages": [{"role": "user", "content": "Hi"}], "session_id": "{session_id}"}
    _compare(arena, stranger, "POST", "/v1/chat/completions", chat, ids)
    arena.figure("endpoints asked for another tenant's ids", compared + 1)


def _compare(arena: Arena, stranger: str, verb: str, path: str, body: dict[str, Any], ids: dict[str, str]) -> None:
    missing = {name: _never_made(arena, value) for name, value in ids.items()}
    foreign = _sent(arena, stranger, verb, path, body, ids)
    unknown = _sent(arena, stranger, verb, path, body, missing)
    arena.inject.note(Fault("foreign id", "gateway", float("inf")))
    where = f"{verb} {path}"
    arena.expect(foreign.status == 404, f"{where}: another tenant's id is answered {foreign.status} {foreign.body!r}")
    arena.expect(
        (foreign.status, _without(foreign, ids)) == (unknown.status, _without(unknown, missing)),
        f"{where}: another tenant's id is answered {foreign.body!r}, a missing one {unknown.status} {unknown.body!r}",
    )


def _sent(arena: Arena, key: str, verb: str, path: str, body: dict[str, Any], ids: dict[str, str]) -> Answer:
    sent = json.dumps(body)
    for name, value in ids.items():
        path, sent = path.replace(f"{{{name}}}", value), sent.replace(f"{{{name}}}", value)
    content = None if verb in ("GET", "DELETE") else sent.encode()
    return ask(arena.chance.choice(arena.gateways()), verb, path, content, key=key)


def _without(answer: Answer, ids: dict[str, str]) -> bytes:
    body = answer.body
    for value in ids.values():
        body = body.replace(value.encode(), b"ID")
    return body


def _made_by_the_owner(arena: Arena) -> dict[str, str]:
    """Ids of the default tenant's things, under the names that paths have for them."""
    session_id = arena.client().create_session()
    turn = arena.client().stream(Asked("What is mine", 5, f"mine-{time.time_ns()}", session_id))
    key, url = arena.stack.api_key, arena.gateways()[0]
    messages = ask(url, "GET", f"/v1/sessions/{session_id}/messages", key=key).json["data"]
    ids = {"session_id": session_id, "job_id": turn.job_id, "message_id": messages[-1]["id"], "turn_id": turn.job_id}
    asked = {"model": arena.stack.model, "input": "What is mine", "background": True}
    ids["response_id"] = ask(url, "POST", "/v1/responses", asked, key=key).json["id"]
    ids["conversation_id"] = session_id.replace("sess_", "conv_")
    ids["item_id"] = ids["message_id"]
    own = ask(url, "GET", f"/v1/jobs/{turn.job_id}", key=key)
    arena.expect(own.status == 200, f"the owner's own job is answered {own.status}")
    return ids


def _never_made(arena: Arena, value: str) -> str:
    """An id of the same form."""
    prefix, mark, rest = value.rpartition("_")
    return prefix + mark + "".join(arena.chance.choice("0123456789abcdef") if c.isalnum() else c for c in rest)


def _expect_no_foreign_canary(arena: Arena, keys: list[str]) -> None:
    """Streams of two tenants, most of them cancelled or left: each text must be what its own prompt gives."""
    oracle = Oracle(arena.stack)
    prompts = [[f"Canary {tenant} of tenant {tenant}, {n}" for n in range(CANARIES)] for tenant in range(len(keys))]
    oracle.learn(TOKENS, [prompt for ours in prompts for prompt in ours])
    wanted, lock, foreign, events = arena.count(short=40, long=20_000), threading.Lock(), [], 0

    def one(number: int) -> None:
        nonlocal events
        chance = random.Random(f"{arena.seed}-{number}")
        tenant = number % len(keys)
        prompt = chance.choice(prompts[tenant])
        received = _stopped(arena, keys[tenant], prompt, chance)
        with lock:
            events += len(received.ids)
            if not oracle(prompt, TOKENS).startswith(received.text):
                foreign.append(f"{received.job_id} of tenant {tenant} got {received.text!r}")

    with ThreadPoolExecutor(LANES * len(keys)) as pool:
        list(pool.map(one, range(wanted)))
    arena.figure("events looked at for a foreign text", events)
    for sentence in foreign:
        arena.expect(False, sentence)


def _stopped(arena: Arena, key: str, prompt: str, chance: random.Random) -> Received:
    """What came until the stream was cancelled or left, at a random token."""
    client = Client(arena.gateways, key, arena.stack.model, chance)
    limit, how = chance.randint(1, TOKENS), chance.choice(["cancel", "leave", "leave", "read"])
    seen = Received(Asked(prompt, TOKENS, f"canary-{time.time_ns()}-{chance.random()}"))
    is_stopped = False

    def stop(received: Received) -> None:
        nonlocal seen, is_stopped
        seen = received
        if how == "read" or is_stopped or len(received.ids) < limit:
            return
        is_stopped = True
        arena.inject.note(Fault(how, "stream", float("inf")))
        cancelled = ask(chance.choice(arena.gateways()), "POST", f"/v1/jobs/{received.job_id}/cancel", key=key)
        arena.expect(cancelled.status == 200, f"the cancel of an own job is answered {cancelled.status}")
        if how == "leave":
            raise _LeftError

    with contextlib.suppress(_LeftError):
        seen = client.stream(seen.asked, on_chunk=stop)
    arena.expect(seen.error is None, f"a stopped stream ended with {seen.error}")
    return seen


class _LeftError(Exception):
    """The client has gone in the middle of its stream."""


def test_tenants_see_nothing_of_each_other(arena: Arena) -> None:
    scenario(arena)
