"""Measures one gateway process: tokens relayed per second of a core, and the memory of an open stream.

    .venv/bin/python -m tests.load.gateway_bench
    .venv/bin/python -m tests.load.gateway_bench --streams 16 --open 500,2000 --write-docs

The gateway and the Redis are real; a feeder in another process writes the events that a worker would write. What is
measured is the gateway's CPU time and resident memory from /proc, which a busy machine changes less than wall time.
Each row of the first table says how the tokens come: those of a fast model wait for each other (at most 15 ms or eight
tokens), those of a slow one come alone, and a burst is what a gateway reads that has fallen behind.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scripts.marked_section import write_section
from tests.load.gateway_bench_ends import Feeder, Streams
from tests.load.gateway_bench_stage import Stage, stage
from tests.stack import ROOT

_SETTLE_S = 1.0
_WARM_UP_TOKENS = 8


@dataclass(frozen=True)
class Case:
    """How the tokens of one row come."""

    words: str
    tokens: int
    per_event: int
    pause_s: float


CASES = (
    Case("alone: one token an event, 20 ms apart", 400, 1, 0.02),
    Case("a model of 5 ms a step: three an event, 15 ms apart", 1200, 3, 0.015),
    Case("a fast model: eight an event, 15 ms apart", 3200, 8, 0.015),
    Case("a burst: one an event, as fast as Redis takes them", 2000, 1, 0.0),
)


async def relay(on: Stage, streams: int) -> list[tuple[Case, float]]:
    """Microseconds of the gateway's CPU for each token, by case."""
    found = []
    for case in CASES:
        with feeding(on, streams) as feeder:
            clients = Streams(on.port)
            await clients.open(streams)
            await feeder.hear()
            feeder.order(tokens=_WARM_UP_TOKENS, per_event=1, pause_s=0.02)
            await feeder.hear()
            await asyncio.sleep(_SETTLE_S)
            before = on.cpu_s()
            feeder.order(tokens=case.tokens, per_event=case.per_event, pause_s=case.pause_s)
            await feeder.hear()
            await asyncio.sleep(_SETTLE_S)
            found.append((case, (on.cpu_s() - before) / (streams * case.tokens) * 1e6))
            print(f"{case.words}: {found[-1][1]:.1f} µs a token", file=sys.stderr, flush=True)
            feeder.order(finish=True)
            await clients.ended()
    return found


async def memory(on: Stage, counts: list[int]) -> list[tuple[int, int, float]]:
    """Streams, resident bytes, and seconds of CPU that they cost in a second while nothing comes."""
    rows = []
    with feeding(on, max(counts)) as feeder:
        clients = Streams(on.port)
        for count in counts:
            await clients.open(count - (rows[-1][0] if rows else 0))
            await asyncio.sleep(_SETTLE_S)
            before, begun = on.cpu_s(), time.monotonic()
            await asyncio.sleep(3 * _SETTLE_S)
            rows.append((count, on.rss_bytes(), (on.cpu_s() - before) / (time.monotonic() - begun)))
            print(f"{count} streams are open: {rows[-1][1] / 2**20:.1f} MiB", file=sys.stderr, flush=True)
        await feeder.hear()
        feeder.order(tokens=_WARM_UP_TOKENS, per_event=1, pause_s=1.0)
        await feeder.hear()
        await asyncio.sleep(_SETTLE_S)
        rows.append((max(counts), on.rss_bytes(), float("nan")))
        await clients.close()  # a job whose request Redis was too slow for may have taken a stream's place
    return rows


@contextmanager
def feeding(on: Stage, streams: int) -> Iterator[Feeder]:
    feeder = Feeder(on.redis_url, streams)
    try:
        yield feeder
    finally:
        feeder.close()


def tables(streams: int, relayed: list[tuple[Case, float]], held: list[tuple[int, int, float]], idle: int) -> str:
    lines = [
        f"Made by `tests/load/gateway_bench.py` on {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}.",
        "",
        f"| {streams} streams; tokens come | gateway's CPU a token, µs | tokens/s a core |",
        "|---|---|---|",
        *(f"| {case.words} | {cost_us:.1f} | {1e6 / cost_us:,.0f} |" for case, cost_us in relayed),
        "",
        "| open streams | gateway's RSS, MiB | KB a stream | of a core, while nothing comes |",
        "|---|---|---|---|",
        f"| 0 | {idle / 2**20:.1f} |  |  |",
    ]
    for place, (count, rss, cpu) in enumerate(held):
        is_fed = place == len(held) - 1
        words = f"{count}, after {_WARM_UP_TOKENS} tokens each" if is_fed else str(count)
        share = "" if is_fed else f"{cpu * 100:.0f} %"
        lines.append(f"| {words} | {rss / 2**20:.1f} | {(rss - idle) / count / 1000:.1f} | {share} |")
    return "\n".join(lines)


async def measure(streams: int, counts: list[int]) -> str:
    with stage() as on:
        relayed = await relay(on, streams)
    with stage() as on:  # a new process, whose memory nothing has touched but a few streams
        with feeding(on, 4) as feeder:
            clients = Streams(on.port)
            await clients.open(4)
            await feeder.hear()
            feeder.order(tokens=_WARM_UP_TOKENS, per_event=1, pause_s=0.02)
            await feeder.hear()
            feeder.order(finish=True)
            await clients.ended()
        await asyncio.sleep(_SETTLE_S)
        idle = on.rss_bytes()
        held = await memory(on, counts)
    return tables(streams, relayed, held, idle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=16, help="that tokens are relayed to")
    parser.add_argument("--open", default="500,2000", help="streams that are held open, to measure their memory")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    counts = sorted(int(count) for count in options.open.split(","))
    text = asyncio.run(measure(options.streams, counts))
    print(text)
    if options.write_docs:
        write_section(ROOT / "docs" / "performance.md", "gateway_bench", text)


if __name__ == "__main__":
    main()
