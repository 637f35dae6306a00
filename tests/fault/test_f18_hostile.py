"""F18: malformed requests by the thousand, deep JSON, hostile schemas and grammars."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from tests.fault.arena import Arena
from tests.fault.asking import Answer, ask
from tests.fault.faults import Fault
from tests.fault.hostile import GRAMMARS, SCHEMAS, HostileRequests
from tests.stack import Stack, running_stack

LANES = 4
ROLES = ("gateway", "session_service", "worker")
OPTIONS: dict[str, Any] = {
    "temperature": 0.5,
    "stop": ["\n\n"],
    "seed": 3,
    "metadata": {"a": "b"},
    "response_format": {"type": "text"},
    "logit_bias": {"5": 1},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "tool_choice": "none",
}
"""What malformed requests are made of, besides a plain one."""

Sending = Callable[[int], Answer]


def scenario(arena: Arena) -> None:
    _send_malformed(arena, arena.count(short=300, long=10_000))
    # The simulated engine makes no grammar of a schema: the real one is to be hurt.
    with running_stack(GATEWAY_ALLOW_GRAMMAR="true", WORKER_SLOTS="4") as real:
        _send_schemas(arena, real)


def _send_malformed(arena: Arena, count: int) -> None:
    stack = arena.stack
    described = ask(stack.gateways[0], "GET", "/openapi.json").json["paths"]
    paths = {path: [verb.upper() for verb in verbs] for path, verbs in described.items()}
    requests = HostileRequests(paths, {**_plain(stack), **OPTIONS}, arena.chance)
    drawn = [requests.draw() for _ in range(count)]

    def send(number: int) -> Answer:
        one = drawn[number]
        url = stack.gateways[number % len(stack.gateways)]
        answer = ask(url, one.verb, one.path, one.body, key=stack.api_key, headers=one.headers, timeout_s=30)
        _expect_no_failure(arena, answer, f"{one.verb} {one.path[:80]} {(one.body or b'')[:200]!r}")
        return answer

    pids = {role: stack.pids(role) for role in ROLES}
    warm_up = count // 5
    _at_once(send, range(warm_up))
    before = _memory_mib(pids)
    answers = _at_once(send, range(warm_up, count))
    arena.figure("malformed: answers", dict(sorted(Counter(answer.status for answer in answers).items())))
    arena.figure("memory grew by", _growth(before, _memory_mib(pids)))
    arena.expect(pids == {role: stack.pids(role) for role in ROLES}, "a process has died of malformed requests")
    for _ in drawn:
        arena.inject.note(Fault("malformed request", "gateway", float("inf")))


def _send_schemas(arena: Arena, real: Stack) -> None:
    formats: dict[str, dict[str, Any]] = {}
    for name, schema in SCHEMAS.items():
        wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        formats[f"schema: {name}"] = {"response_format": wanted}
    formats |= {f"grammar: {name}": {"grammar": grammar} for name, grammar in GRAMMARS.items()}
    names = [name for _ in range(arena.count(short=1, long=10)) for name in formats]
    slowest: dict[str, float] = {}

    def send(number: int) -> Answer:
        name = names[number]
        body = {**_plain(real), "max_tokens": 24, "timeout_s": 30, **formats[name]}
        answer = ask(real.gateways[0], "POST", "/v1/chat/completions", body, key=real.api_key)
        _expect_no_failure(arena, answer, name)
        slowest[name] = max(slowest.get(name, 0), answer.took_s)
        return answer

    pids = {role: real.pids(role) for role in ROLES}
    good = ask(real.gateways[0], "POST", "/v1/chat/completions", _plain(real), key=real.api_key)
    arena.expect(good.status == 200, f"a good request got {good.status}")
    warm_up = len(formats) if len(names) > len(formats) else 0  # the short form tells what the first of each cost
    answers = _at_once(send, range(warm_up))
    before = _memory_mib(pids)
    answers += _at_once(send, range(warm_up, len(names)))
    good = ask(real.gateways[0], "POST", "/v1/chat/completions", _plain(real), key=real.api_key)
    arena.expect(good.status == 200, f"afterwards a good request gets {good.status}")
    arena.figure("schemas and grammars: answers", dict(sorted(Counter(answer.status for answer in answers).items())))
    arena.figure("schemas: memory grew by", _growth(before, _memory_mib(pids)))
    name = max(slowest, key=lambda one: slowest[one])
    arena.figure("slowest", f"{name}, {slowest[name]:.1f} s")
    arena.expect(pids == {role: real.pids(role) for role in ROLES}, "a process has died of a schema or grammar")
    for _ in names:
        arena.inject.note(Fault("hostile schema", "worker", float("inf")))


def _expect_no_failure(arena: Arena, answer: Answer, what: str) -> None:
    arena.expect(0 < answer.status < 500 or answer.status == 503, f"{what}: {answer.status} {answer.body[:300]!r}")


def _plain(stack: Stack) -> dict[str, Any]:
    return {
        "model": stack.model,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 plus 3?"}],
        "max_tokens": 4,
    }


def _at_once(send: Sending, numbers: range) -> list[Answer]:
    with ThreadPoolExecutor(LANES) as pool:
        return list(pool.map(send, numbers))


def _memory_mib(pids: dict[str, list[int]]) -> dict[str, float]:
    """Of all processes of a role together; one that is gone counts nothing."""
    found = {}
    for role, ours in pids.items():
        alive = [psutil.Process(pid) for pid in ours if psutil.pid_exists(pid)]
        found[role] = sum(process.memory_info().rss for process in alive) / 2**20
    return found


def _growth(before: dict[str, float], after: dict[str, float]) -> str:
    return ", ".join(f"{role} {100 * (after[role] / before[role] - 1):+.1f} %" for role in before)


def test_nothing_fails_and_nobody_dies_of_hostile_requests(arena: Arena) -> None:
    scenario(arena)
