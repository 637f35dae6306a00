"""The stack benchmark's rounds: every server in turn, with the same requests."""

import asyncio
import sys
import time
from dataclasses import dataclass, field

from cli.bench.answers import StreamedAnswer
from cli.bench.client import BenchClient
from cli.bench.outcome import Outcome
from tests.load.stack_bench_sides import Setup, Target

PROMPT = "Tell me a story."
_TIMEOUT_S = 120.0
_LEAST_REQUESTS = 8
"""Of a burst: a few streams ask several times, one request alone says little."""


@dataclass(frozen=True)
class Burst:
    """What a server did with one burst of requests."""

    tokens_per_s: float
    firsts_s: list[float]
    """Each request's time to its first text."""

    def first_ms(self, percent: int) -> float:
        ordered = sorted(self.firsts_s)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000


@dataclass
class Measured:
    """All rounds of one model: by number of streams, then by server, one burst a round."""

    words: str
    setup: Setup
    bursts: dict[int, dict[str, list[Burst]]] = field(default_factory=dict)


async def measure(
    measured: Measured, targets: list[Target], streams: list[int], *, rounds: int, max_tokens: int
) -> None:
    """Fill `measured`. Raises RuntimeError for a request that fails, or ends early."""
    clients = {target.name: _client(target, max(streams)) for target in targets}
    measured.bursts = {count: {target.name: [] for target in targets} for count in streams}
    for target in targets:
        await _burst(clients[target.name], target, max(streams), 8)
    for round_ in range(1, rounds + 1):
        for count, sides in measured.bursts.items():
            for target in targets:
                sides[target.name].append(await _burst(clients[target.name], target, count, max_tokens))
            targets.reverse()  # whoever comes first finds another machine than whoever comes second
        print(f"{measured.words}: round {round_} of {rounds}", file=sys.stderr, flush=True)
    for client in clients.values():
        await client.close()


def _client(target: Target, streams: int) -> BenchClient:
    return BenchClient(target.url, target.api_key, streams=streams, timeout_s=_TIMEOUT_S)


async def _burst(client: BenchClient, target: Target, streams: int, max_tokens: int) -> Burst:
    """So many streams that begin at once, one after the other until there were enough requests."""
    outcomes: list[Outcome] = []
    begun = time.perf_counter()
    while len(outcomes) < max(streams, _LEAST_REQUESTS):
        asked = (client.ask(_body(target, n, max_tokens), StreamedAnswer()) for n in range(streams))
        outcomes += await asyncio.gather(*asked)
    seconds = time.perf_counter() - begun
    for outcome in outcomes:
        if outcome.error or outcome.tokens != max_tokens or outcome.first_text_s is None:
            raise RuntimeError(f"{target.name}: {outcome.error or f'{outcome.tokens} tokens'} {outcome.words}")
    firsts = [outcome.first_text_s for outcome in outcomes if outcome.first_text_s is not None]
    return Burst(sum(outcome.tokens for outcome in outcomes) / seconds, firsts)


def _body(target: Target, number: int, max_tokens: int) -> dict[str, object]:
    return {
        "model": target.model,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": max_tokens,
        "seed": number,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
