"""Measures the worker's engine room beside llama-server, with the same model, threads, slots, context and KV type.

    .venv/bin/python -m tests.load.engine_bench                                  # half an hour on two cores
    .venv/bin/python -m tests.load.engine_bench --models 15m --quick             # a minute
    LLAMA_SERVER=… LLAMA_BATCHED_BENCH=… .venv/bin/python -m tests.load.engine_bench --write-docs

Without the two variables llama.cpp's programs are built from llama-cpp-python's source distribution, once. Both sides
are up all the time and one of them works at a time; bursts are interleaved in one run, because the machine may be small
and busy, and the tables give medians over the rounds. Both get the same prompts as token ids, `ignore_eos`, and draw
with temperature 0, or with 0.8 and top_p 0.95; every prompt is new, so that nothing is reused but what a case shares.

On a busy machine the figures mean nothing: llama-server's threads spin at their barriers, ours soon sleep.
GOMP_SPINCOUNT in the environment counts for both.
"""

import argparse
import os
import statistics
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from scripts.marked_section import write_section
from tests.load import engine_bench_report as report
from tests.load.engine_bench_extras import Extras, measure_extras
from tests.load.engine_bench_models import MODELS, BenchModel
from tests.load.engine_bench_sides import Ours, Peer, Setup, batched_bench
from tests.load.engine_bench_work import DRAWN, GREEDY, Case, Result
from tests.stack import ROOT
from worker.hardware import decode_threads, useful_threads

CONTEXT = 1024
BATCH_TOKENS = 512
SHARED_TOKENS = 512


@dataclass
class Measured:
    """All rounds of one model."""

    model: BenchModel
    setup: Setup
    cases: list[Case]
    ours: dict[Case, list[Result]] = field(default_factory=dict)
    peer: dict[Case, list[Result]] = field(default_factory=dict)
    alone: dict[int, list[float]] = field(default_factory=dict)
    """Tokens per second of llama-batched-bench by streams."""
    extras: Extras | None = None

    def add(self, side: str, case: Case, result: Result) -> None:
        (self.ours if side == "ours" else self.peer).setdefault(case, []).append(result)

    def alone_at(self, streams: int) -> float | None:
        found = self.alone.get(streams)
        return statistics.median(found) if found else None


def cases_of(model: BenchModel, streams: list[int]) -> Iterator[Case]:
    """The lines of the table."""
    for count in streams:
        yield Case("generate", count, own_tokens=8, new_tokens=model.new_tokens)
    most = max(count for count in streams if count <= 16)
    yield Case("generate", most, own_tokens=8, new_tokens=model.new_tokens, sampling=DRAWN)
    yield Case("read a prompt", 1, own_tokens=model.prompt_tokens, new_tokens=1)
    new_tokens = min(64, model.new_tokens)
    yield Case("own prompts", most, own_tokens=SHARED_TOKENS + 32, new_tokens=new_tokens)
    yield Case("shared prefix", most, own_tokens=32, new_tokens=new_tokens, shared_tokens=SHARED_TOKENS)


def measure(model: BenchModel, options: argparse.Namespace) -> Measured:
    """All rounds of one model, then what is measured once."""
    threads = options.threads or useful_threads(model.path.stat().st_size, at_most=decode_threads())
    setup = Setup(model.path, max(options.streams), CONTEXT, threads, BATCH_TOKENS)
    measured = Measured(model, setup, list(cases_of(model, options.streams)))
    with closing(Ours(setup)) as ours, closing(Peer(setup)) as peer:
        sides: list[tuple[str, Ours | Peer]] = [("ours", ours), ("peer", peer)]
        for _, side in sides:
            side.run(Case("warm-up", max(options.streams), 8, 4).burst(0))
        for round_ in range(1, options.rounds + 1):
            for case in measured.cases:
                if round_ > 1 and _is_long(model, case):
                    continue
                for name, side in sides:
                    measured.add(name, case, side.run(case.burst(round_)))
                sides.reverse()  # whoever comes first finds another machine than whoever comes second
            for count, rate in batched_bench(setup, options.streams, 8, model.new_tokens).items():
                measured.alone.setdefault(count, []).append(rate)
            report.say(f"{model.name}: round {round_} of {options.rounds}")
    if not options.quick:
        measured.extras = measure_extras(setup)
        report.say(f"{model.name}: pauses, memory, cancellations")
    return measured


def _is_long(model: BenchModel, case: Case) -> bool:
    """Whether one round must do: a large model reads 16 prompts of 544 tokens for minutes."""
    return model.name != "15m" and case.streams * (case.own_tokens + case.shared_tokens) > 4000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="15m,0.5b", help=f"of {', '.join(MODELS)}")
    parser.add_argument("--streams", default="1,4,8,16,32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="of both sides; 0: as a worker would choose")
    parser.add_argument("--quick", action="store_true", help="one round, and nothing but tokens per second")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    options.streams = sorted(int(count) for count in options.streams.split(","))
    options.rounds = 1 if options.quick else options.rounds
    text = "\n\n".join(report.tables(measure(MODELS[name], options), GREEDY) for name in options.models.split(","))
    text = f"{report.preface(options.rounds, os.cpu_count() or 1)}\n\n{text}"
    print(text)
    if options.write_docs:
        write_section(ROOT / "docs" / "performance.md", "engine_bench", text)


if __name__ == "__main__":
    main()
