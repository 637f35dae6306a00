"""Measures what traces cost: one stack without them beside one that records and exports every request.

    .venv/bin/python -m tests.load.trace_bench --rounds 9
    .venv/bin/python -m tests.load.trace_bench --engine simulated --max-tokens 50

Both run at once and take turns within each round, because the machine may be small and busy. Ratios compare what was
measured within one round. The processor time of the services for a thousand tokens is counted beside tokens a second:
a busy machine changes it less.
"""

import argparse
import asyncio
import multiprocessing
import os
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil

from tests.load.stack_bench_rounds import Measured, measure
from tests.load.stack_bench_sides import Setup, Target
from tests.servers import free_port
from tests.stack import ROOT, Stack, running_stack

OFF, ON = "traces off", "every request traced"
ROLES = ("gateway", "worker", "session_service")


def main() -> None:
    options = _options()
    before = os.getloadavg()[0]
    with ExitStack() as stack:
        sides = {
            OFF: stack.enter_context(_side(options.engine)),
            ON: stack.enter_context(_side(options.engine, OTEL_EXPORTER_OTLP_ENDPOINT=stack.enter_context(_sink()))),
        }
        rounds = [_round(options, sides) for _ in range(options.rounds)]
    print(
        f"\n{options.engine}, {options.streams} streams, {options.max_tokens} tokens each, {options.rounds} rounds, ",
        end="",
    )
    print(f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after\n")
    print("| | tokens/s, median | CPU ms per 1,000 tokens, median |\n|---|---|---|")
    for name in (OFF, ON):
        speed = statistics.median(row[name][0] for row in rounds)
        print(f"| {name} | {speed:,.0f} | {statistics.median(row[name][1] for row in rounds):.1f} |")
    speeds, costs = ([row[ON][place] / row[OFF][place] for row in rounds] for place in (0, 1))
    print(f"| within a round | {_spread(speeds)} | {_spread(costs)} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["llama", "simulated"], default="llama", help="llama: drover-tiny")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    return parser.parse_args()


def _round(options: argparse.Namespace, sides: dict[str, Stack]) -> dict[str, tuple[float, float]]:
    """Tokens a second and processor milliseconds for a thousand tokens, of each side."""
    setup, row = Setup(ROOT / "models" / "drover-tiny.gguf", 1), {}
    for name, stack in sorted(sides.items(), key=lambda _: os.urandom(1)):
        measured = Measured(name, setup)
        target = Target(name, stack.url, stack.api_key, stack.model)
        begun_s = _cpu_s(stack)
        asyncio.run(measure(measured, [target], [options.streams], rounds=2, max_tokens=options.max_tokens))
        bursts = measured.bursts[options.streams][name]
        tokens = sum(len(burst.firsts_s) for burst in bursts) * options.max_tokens
        row[name] = (statistics.mean(burst.tokens_per_s for burst in bursts), (_cpu_s(stack) - begun_s) * 1e6 / tokens)
    return row


def _cpu_s(stack: Stack) -> float:
    times = [psutil.Process(pid).cpu_times() for role in ROLES for pid in stack.pids(role)]
    return sum(time.user + time.system for time in times)


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} … {max(ratios):.3f})"


@contextmanager
def _side(engine: str, **environment: str) -> Iterator[Stack]:
    with running_stack("--engine", engine, WORKER_SIMULATED_STEP_MS="2", **environment) as stack:
        yield stack


@contextmanager
def _sink() -> Iterator[str]:
    """A collector that throws away what it gets, in a process of its own."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_take_all, args=(port,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join()


def _take_all(port: int) -> None:
    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    HTTPServer(("127.0.0.1", port), Sink).serve_forever()


if __name__ == "__main__":
    main()
