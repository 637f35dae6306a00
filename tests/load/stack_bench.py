"""Measures the whole stack beside llama-server alone and beside LiteLLM's proxy before llama-server.

    .venv/bin/python -m tests.load.stack_bench --litellm                 # all three, two models, some minutes
    .venv/bin/python -m tests.load.stack_bench --models tiny --rounds 3 --write-docs
    .venv/bin/python -m tests.load.stack_bench --state-dir .drover       # a stack that runs, by itself
    .venv/bin/python -m tests.load.stack_bench --state-dir .drover --peer http://127.0.0.1:9000

It starts every server by itself: llama-server from --llama-server, LLAMA_SERVER or llama-cpp-python's own source
(built once, ten minutes), LiteLLM in an environment of its own under .build. All get the same GGUF, slots, context and
threads. Rounds of all servers and stream counts are interleaved in one run, because the machine may be small and busy;
on a busy one read the ratios, which compare what was measured within one round.
"""

import argparse
import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scripts.marked_section import write_section
from tests.load import stack_bench_report as report
from tests.load.engine_bench_build import program
from tests.load.engine_bench_models import MODELS
from tests.load.stack_bench_rounds import Measured, measure
from tests.load.stack_bench_sides import Setup, Target, drover, litellm, llama_server, of_stack
from tests.stack import ROOT, Stack
from worker.hardware import decode_threads, useful_threads

_TINY = "tiny"
_WORDS = {_TINY: "drover-tiny (2 M parameters, Q8_0)", "15m": f"15m: {MODELS['15m'].words}, random weights, Q8_0"}


def main() -> None:
    options = _options()
    before = os.getloadavg()[0]
    tables = []
    for name in options.models.split(","):
        measured = Measured(_WORDS[name], _setup(name))
        with _targets(options, measured.setup) as targets:
            asyncio.run(
                measure(measured, targets, options.streams, rounds=options.rounds, max_tokens=options.max_tokens)
            )
        tables.append(report.table(measured))
        print(f"{tables[-1]}\n", flush=True)  # now: the next model may be interrupted
    preface = report.preface(options.rounds, options.max_tokens, (before, os.getloadavg()[0]))
    print(preface)
    if options.write_docs:
        write_section(ROOT / "docs" / "performance.md", "stack_bench", "\n\n".join([preface, *tables]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", help=f"of {','.join(_WORDS)}; default: both, or tiny for a stack that runs")
    parser.add_argument("--streams", default="1,4,16")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument(
        "--llama-server", type=Path, help="the program; default: LLAMA_SERVER, or one built from source"
    )
    parser.add_argument("--litellm", action="store_true", help="LiteLLM's proxy before llama-server, too")
    parser.add_argument("--state-dir", type=Path, help="of a stack that runs: no server is started")
    parser.add_argument("--peer", help="URL of another server that runs, to measure beside it")
    parser.add_argument("--peer-key", default="none")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args()
    options.streams = sorted(int(count) for count in options.streams.split(","))
    options.models = options.models or (_TINY if options.state_dir else ",".join(_WORDS))
    if unknown := set(options.models.split(",")) - set(_WORDS):
        parser.error(f"--models knows {', '.join(_WORDS)}, not {', '.join(unknown)}")
    return options


def _setup(name: str) -> Setup:
    path = ROOT / "models" / "drover-tiny.gguf" if name == _TINY else MODELS[name].path
    return Setup(path, useful_threads(path.stat().st_size, at_most=decode_threads()))


@contextmanager
def _targets(options: argparse.Namespace, setup: Setup) -> Iterator[list[Target]]:
    """What the options name, Drover first."""
    with ExitStack() as started:
        if options.state_dir:
            targets = [of_stack(Stack(options.state_dir))]
        else:
            targets = [started.enter_context(drover(setup))]
            peer = started.enter_context(llama_server(options.llama_server or program("llama-server"), setup))
            targets.append(peer)
            if options.litellm:
                targets.append(started.enter_context(litellm(peer)))
        if options.peer:
            targets.append(Target("peer", options.peer, options.peer_key, targets[0].model))
        yield targets


if __name__ == "__main__":
    main()
