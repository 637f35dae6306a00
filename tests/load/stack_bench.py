"""Measures the whole stack: time to first token and tokens per second at 1 and 16 streams.

    .venv/bin/python -m tests.load.stack_bench                      # starts a stack of its own
    .venv/bin/python -m tests.load.stack_bench --state-dir .drover  # one that runs
    .venv/bin/python -m tests.load.stack_bench --peer http://127.0.0.1:9000  # and, say, llama-server beside it

The peer is any server with OpenAI's chat completions; start llama-server with the same GGUF, slots and threads:
`llama-server -m models/drover-tiny.gguf -np 16 -c 8192 -t 2 --port 9000`. Rounds of all servers and stream counts are
interleaved in one run, because the machine may be small and busy; the table gives medians over the rounds.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.stack import Stack, running_stack

PROMPT = "Tell me a story."


@dataclass(frozen=True)
class Target:
    """A server to measure."""

    url: str
    api_key: str
    model: str


@dataclass(frozen=True)
class Stream:
    """One stream's figures: seconds to the first token and in all, and its tokens."""

    first_token_s: float
    total_s: float
    tokens: int


async def read_stream(client: httpx.AsyncClient, target: Target, number: int, max_tokens: int) -> Stream:
    """Read one stream to its end."""
    body = {
        "model": target.model,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": max_tokens,
        "seed": number,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    begun = time.perf_counter()
    first = 0.0
    tokens = 0
    async with client.stream("POST", f"{target.url}/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line[6:])
            if not first and any(choice["delta"].get("content") for choice in chunk["choices"]):
                first = time.perf_counter() - begun
            if usage := chunk.get("usage"):
                tokens = usage["completion_tokens"]
    return Stream(first, time.perf_counter() - begun, tokens)


async def measure(target: Target, streams: int, max_tokens: int) -> tuple[list[Stream], float]:
    """Run that many streams at once; their figures and tokens per second in all."""
    limits = httpx.Limits(max_connections=streams)
    headers = {"Authorization": f"Bearer {target.api_key}"}
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=120) as client:
        begun = time.perf_counter()
        done = await asyncio.gather(*(read_stream(client, target, n, max_tokens) for n in range(streams)))
        return list(done), sum(stream.tokens for stream in done) / (time.perf_counter() - begun)


async def run(targets: dict[str, Target], rounds: int, max_tokens: int) -> None:
    """Measure and print the table."""
    results: dict[tuple[int, str], list[tuple[list[Stream], float]]]
    results = {(streams, name): [] for streams in (1, 16) for name in targets}
    for target in targets.values():
        await measure(target, 16, 8)
    for _ in range(rounds):
        for (streams, name), found in results.items():
            found.append(await measure(targets[name], streams, max_tokens))
    print("| streams | server | tokens/s | TTFT p50 ms | TTFT p99 ms |\n|---|---|---|---|---|")
    for (streams, name), found in results.items():
        firsts = sorted(stream.first_token_s * 1000 for figures, _ in found for stream in figures)
        rate = statistics.median(rate for _, rate in found)
        p99 = firsts[min(len(firsts) - 1, int(len(firsts) * 0.99))]
        print(f"| {streams} | {name} | {rate:.0f} | {statistics.median(firsts):.1f} | {p99:.1f} |")


@contextmanager
def drover(options: argparse.Namespace) -> Iterator[Target]:
    """The stack that the options name, or a new one for this run."""
    if options.state_dir:
        stack = Stack(Path(options.state_dir))
        yield Target(stack.url, stack.api_key, stack.model)
    else:
        with running_stack("--gateways", "1", "--workers", "1") as stack:
            yield Target(stack.url, stack.api_key, stack.model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state-dir", help="of a stack that runs")
    parser.add_argument("--peer", help="URL of another server to measure beside it")
    parser.add_argument("--peer-key", default="none")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--max-tokens", type=int, default=200)
    options = parser.parse_args()
    with drover(options) as target:
        targets = {"drover": target}
        if options.peer:
            targets["peer"] = Target(options.peer, options.peer_key, target.model)
        asyncio.run(run(targets, options.rounds, options.max_tokens))


if __name__ == "__main__":
    main()
