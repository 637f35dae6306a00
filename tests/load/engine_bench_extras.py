"""What the engine benchmark measures once: pauses while a long prompt is read, memory, and cancellations."""

import statistics
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from tests.load.engine_bench_sides import Ours, Peer, Setup
from tests.load.engine_bench_work import Case

RUNNING = 8
LONG_TOKENS = 4000
LONG_CONTEXT = 4608
CALM_TOKENS = 16
MEMORY_JOBS = 1000
CANCEL_ROUNDS = 20


@dataclass(frozen=True)
class Pauses:
    """Times between tokens of running streams, 95th percentile, and how long the long prompt took."""

    before_ms: float
    while_ms: float
    prompt_s: float


@dataclass(frozen=True)
class Extras:
    """`first_bytes` after a tenth of MEMORY_JOBS, `last_bytes` after all; `cancel_steps` one number a round."""

    ours: Pauses
    peer: Pauses
    first_bytes: int
    last_bytes: int
    cancel_steps: list[int]


def measure_extras(setup: Setup) -> Extras:
    """Starts both sides anew, with fewer and longer slots."""
    prompts = Case("running", RUNNING, own_tokens=8, new_tokens=1).burst(1).prompts
    [long_prompt] = Case("long", 1, own_tokens=LONG_TOKENS, new_tokens=1).burst(1).prompts
    wide = replace(setup, slots=RUNNING + 1, context=LONG_CONTEXT)
    with closing(Ours(wide)) as ours:
        our_pauses = _pauses(ours.interrupt(prompts, long_prompt, CALM_TOKENS))
    with closing(Peer(wide)) as peer:
        peer_pauses = _pauses(peer.interrupt(prompts, long_prompt, CALM_TOKENS))
    many = replace(setup, slots=16)
    with closing(Ours(many)) as ours:
        steps = ours.ask("cancel", prompts=Case("cancel", 16, 8, 1).burst(1).prompts, rounds=CANCEL_ROUNDS)["steps"]
        memory = ours.ask("memory", jobs=MEMORY_JOBS, batch=16, seed=1)
    return Extras(our_pauses, peer_pauses, memory["first"], memory["last"], steps)


def _pauses(seen: dict[str, Any]) -> Pauses:
    came, gone = seen["came"], seen["gone"]
    pairs = [pair for times in seen["times"] for pair in pairwise(times)]
    before = [after - earlier for earlier, after in pairs if after <= came]
    during = [after - earlier for earlier, after in pairs if after > came and earlier < gone]
    return Pauses(_p95_ms(before), _p95_ms(during), gone - came)


def _p95_ms(gaps: list[float]) -> float:
    return statistics.quantiles(gaps, n=20)[-1] * 1000 if len(gaps) > 1 else float("nan")
