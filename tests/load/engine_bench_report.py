"""The engine benchmark's tables, on the terminal and in docs/performance.md."""

import statistics
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.load.engine_bench_extras import LONG_TOKENS, MEMORY_JOBS, RUNNING, Extras
from tests.load.engine_bench_work import Case, Result, Sampling

if TYPE_CHECKING:
    from tests.load.engine_bench import Measured


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def preface(rounds: int, cores: int) -> str:
    s = "s" if rounds > 1 else ""
    return (
        f"Made by `tests/load/engine_bench.py` on {cores} cores, medians of {rounds} interleaved round{s}. The models\n"
        "have random weights, Q8_0, and a vocabulary of 32,000 (Qwen's is larger). Ours is the worker's\n"
        "`LoadedModel`, theirs llama-server's `/completion` without streaming, with `--cache-ram 0` and our\n"
        "batch size; llama-batched-bench is llama.cpp without a server and without samplers."
    )


def tables(measured: "Measured", greedy: Sampling) -> str:
    """All tables of one model."""
    setup = measured.setup
    parts = [
        f"### {measured.model.name}: {measured.model.words}\n\n{setup.slots} slots of {setup.context} tokens, "
        f"{setup.threads} thread{'s' if setup.threads > 1 else ''}, batches of {setup.batch_tokens} tokens.",
        _rates(measured, greedy),
        _steps(measured),
    ]
    if measured.extras:
        parts.append(_extras(measured, measured.extras))
    return "\n\n".join(parts)


def _rates(measured: "Measured", greedy: Sampling) -> str:
    lines = [
        "| work | streams | drawing | ours, tokens/s | llama-server | ours ÷ theirs | llama-batched-bench |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in measured.cases:
        ours, peer = _rate(case, measured.ours[case]), _rate(case, measured.peer[case])
        is_plain = case.name == "generate" and case.sampling == greedy
        alone = measured.alone_at(case.streams) if is_plain else None
        words = f"{alone:.1f}" if alone else ""
        lines.append(
            f"| {_words(case)} | {case.streams} | {case.sampling.name} | {ours:.1f} | {peer:.1f} | {ours / peer:.2f} "
            f"| {words} |"
        )
    return "\n".join(lines)


def _words(case: Case) -> str:
    if case.name == "read a prompt":
        return f"read a prompt of {case.own_tokens} (prompt tokens/s)"
    if case.shared_tokens:
        return f"{case.shared_tokens} new shared + {case.own_tokens} own → {case.new_tokens}"
    return f"{case.own_tokens} → {case.new_tokens}"


def _rate(case: Case, results: Sequence[Result]) -> float:
    """Median of the tokens per second that the case is about."""
    if case.name == "read a prompt":
        return statistics.median(case.own_tokens / result.seconds for result in results)
    return statistics.median(result.tokens_per_s for result in results)


def _steps(measured: "Measured") -> str:
    """Where a step's time goes, per step, and Python's part per token."""
    lines = [
        "| our step: streams | drawing | whole, ms | decode | sample | Python | Python per sequence, µs |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in measured.cases:
        if case.name != "generate":
            continue
        results = measured.ours[case]
        whole, decode, sample, python = (
            statistics.median(getattr(result, part) / result.steps * 1000 for result in results)
            for part in ("seconds", "decode_s", "sample_s", "python_s")
        )
        each_us = statistics.median(result.python_s / result.tokens * 1e6 for result in results)
        lines.append(
            f"| {case.streams} | {case.sampling.name} | {whole:.2f} | {decode:.2f} | {sample:.2f} | {python:.2f} "
            f"| {each_us:.0f} |"
        )
    return "\n".join(lines)


def _extras(measured: "Measured", extras: Extras) -> str:
    prompt = next(case for case in measured.cases if case.name == "read a prompt")
    piece_ms = measured.setup.batch_tokens / _rate(prompt, measured.ours[prompt]) * 1000
    growth = extras.last_bytes / extras.first_bytes - 1
    lines = [
        f"| {RUNNING} streams while a prompt of {LONG_TOKENS} tokens comes in | ours | llama-server |",
        "|---|---|---|",
        f"| between tokens before it, p95 ms | {extras.ours.before_ms:.1f} | {extras.peer.before_ms:.1f} |",
        f"| between tokens while it is read, p95 ms | {extras.ours.while_ms:.1f} | {extras.peer.while_ms:.1f} |",
        f"| until its own first token, s | {extras.ours.prompt_s:.2f} | {extras.peer.prompt_s:.2f} |",
        "",
        f"One piece of {measured.setup.batch_tokens} prompt tokens takes {piece_ms:.0f} ms here. Resident memory after "
        f"{MEMORY_JOBS // 10} short jobs: {extras.first_bytes / 2**20:.1f} MiB, after {MEMORY_JOBS}: "
        f"{extras.last_bytes / 2**20:.1f} MiB ({growth:+.1%}).",
        f"Steps between a cancellation and its job's end, {len(extras.cancel_steps)} times among 16 streams: median "
        f"{statistics.median(extras.cancel_steps):.0f}, at most {max(extras.cancel_steps)}.",
    ]
    return "\n".join(lines)
