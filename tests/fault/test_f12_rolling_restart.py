"""F12: SIGTERM to every worker in turn: each drains, hands its jobs over and exits with 0."""

import re
from functools import partial

from tests.fault.arena import Arena
from tests.stack import Stack, wait_until


def scenario(arena: Arena) -> None:
    said = len(arena.stack.log("supervisor"))
    ended = 0
    with arena.load():
        for _ in arena.times(short=1, long=10):
            for worker in arena.stack.processes_of("worker"):
                arena.inject.terminate("worker", worker["name"])
                wait_until(partial(_is_replaced, arena.stack, worker), f"{worker['name']} is replaced", 60)
                ended += 1
    exits = re.findall(r"worker-\d+ died \(([^)]*)\)", arena.stack.log("supervisor")[said:])
    arena.expect(exits == ["exit status 0"] * ended, f"workers ended with {exits}")


def _is_replaced(stack: Stack, worker: dict[str, object]) -> bool:
    return worker["pid"] not in stack.pids("worker")


def test_no_stream_fails_while_all_workers_restart(arena: Arena) -> None:
    scenario(arena)
