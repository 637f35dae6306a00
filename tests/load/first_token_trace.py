"""Where the milliseconds to the first token go: a stack with clocks in it, asked by 1 and by 16 at once.

    .venv/bin/python -m tests.load.first_token_trace
    .venv/bin/python -m tests.load.first_token_trace --streams 1 --requests 300

It starts a stack of its own whose services have probes around some of their functions (first_token_probes), and prints
how long each stage took: p10, which other programs on the machine disturb least, p50 and p95. Below it stands what a
request costs each process in CPU time up to its end: at 16 streams the first tokens wait for just that.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.stack import Stack, running_stack

PROBES = Path(__file__).parent / "first_token_probes"
_PROMPT = "Tell me a story."
_PAUSE_S = 0.05
"""Between two bursts, so that the end of one is not in the next."""

Marks = dict[str, float]
"""Moments of one request in time.monotonic(), which all processes share. `x in`, `x out`: stage x was entered, left."""


@dataclass(frozen=True)
class Stage:
    """From one mark to another."""

    words: str
    begin: str
    end: str


STAGES = (
    Stage("client → gateway's application", "sent", "request in"),
    Stage("routing, body, key", "request in", "prepare in"),
    Stage("prepare (a session's turn)", "prepare in", "prepare out"),
    Stage("job made", "prepare out", "accept in"),
    Stage("accept", "accept in", "accept out"),
    Stage("hint: until its thread begins", "accept out", "hint sent in"),
    Stage("hint: Celery's send_task, begun → read by the worker", "hint sent in", "hint read in"),
    Stage("hint: Celery, read → runner", "hint read in", "run in"),
    Stage("claim", "run in", "claim out"),
    Stage("until the model has it", "claim out", "submit in"),
    Stage("render, tokenize", "submit in", "submit out"),
    Stage("until the decode thread admits it", "submit out", "admitted in"),
    Stage("prompt decoded, first token drawn", "admitted in", "sampled out"),
    Stage("until the publisher writes", "sampled out", "append in"),
    Stage("append → event in the gateway", "append in", "event came in"),
    Stage("event → chunk", "event came in", "chunk made out"),
    Stage("chunk → client", "chunk made out", "first"),
    Stage("**all of it**", "sent", "first"),
)


async def ask(client: httpx.AsyncClient, stack: Stack, number: int, max_tokens: int) -> tuple[str, Marks]:
    """One stream, to its end: its job's id, and what the client saw."""
    body = {
        "model": stack.model,
        "messages": [{"role": "user", "content": _PROMPT}],
        "max_tokens": max_tokens,
        "seed": number,
        "ignore_eos": True,
        "stream": True,
    }
    marks = {"sent": time.monotonic()}
    async with client.stream("POST", f"{stack.url}/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if "first" not in marks and '"content":"' in line and '"content":""' not in line:
                marks["first"] = time.monotonic()
        return response.headers["x-job-id"], marks


async def measure(stack: Stack, streams: int, requests: int, max_tokens: int) -> dict[str, Marks]:
    """What the clients saw, by job, after a burst that warms up."""
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    found: dict[str, Marks] = {}
    async with httpx.AsyncClient(headers=headers, limits=httpx.Limits(max_connections=streams), timeout=60) as client:
        await asyncio.gather(*(ask(client, stack, n, 8) for n in range(streams)))
        while len(found) < requests:
            found |= dict(await asyncio.gather(*(ask(client, stack, n, max_tokens) for n in range(streams))))
            await asyncio.sleep(_PAUSE_S)
    return found


def read_traces(folder: Path) -> dict[str, Marks]:
    """What the probes wrote, by job."""
    found: defaultdict[str, Marks] = defaultdict(dict)
    for file in folder.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            stage, job_id, entered, left = json.loads(line)
            found[job_id] |= {f"{stage} in": entered, f"{stage} out": left}
    return found


def table(seen: list[Marks], streams: int) -> str:
    """The stages of so many requests, in milliseconds."""
    lines = [f"| {streams} streams, {len(seen)} requests | p10 ms | p50 | p95 |", "|---|---|---|---|"]
    for stage in STAGES:
        lasted = sorted(
            marks[stage.end] - marks[stage.begin] for marks in seen if {stage.begin, stage.end} <= set(marks)
        )
        if lasted:
            found = (lasted[min(len(lasted) - 1, len(lasted) * percent // 100)] * 1000 for percent in (10, 50, 95))
            lines.append(f"| {stage.words} | {' | '.join(f'{value:.2f}' for value in found)} |")
    return "\n".join(lines)


def cpu_s(stack: Stack) -> dict[str, float]:
    """What each process of the stack, and this one, has used of a core."""
    pids = {process["name"]: process["pid"] for process in stack.read()["processes"]} | {"this client": os.getpid()}
    return {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in pids.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", default="1,16")
    parser.add_argument("--requests", type=int, default=96)
    parser.add_argument("--max-tokens", type=int, default=50)
    options = parser.parse_args()
    told = []
    with tempfile.TemporaryDirectory(prefix="drover-trace-") as folder:
        with running_stack(PYTHONPATH=str(PROBES), DROVER_TRACE_FOLDER=folder) as stack:
            for streams in map(int, options.streams.split(",")):
                before = cpu_s(stack)
                asked = asyncio.run(measure(stack, streams, options.requests, options.max_tokens))
                costs = {name: (after - before[name]) / len(asked) * 1000 for name, after in cpu_s(stack).items()}
                told.append((streams, asked, costs))
        traces = read_traces(Path(folder))
    for streams, asked, costs in told:
        print(table([traces.get(job_id, {}) | marks for job_id, marks in asked.items()], streams))
        print("\nCPU ms a request:", ", ".join(f"{name} {cost:.1f}" for name, cost in costs.items() if cost >= 0.1))
        print(f"Load average {os.getloadavg()[0]:.1f}.\n")


if __name__ == "__main__":
    main()
