"""The stack benchmark's tables, on the terminal and in docs/performance.md."""

import os
import statistics

from tests.load.stack_bench_rounds import Burst, Measured


def preface(rounds: int, max_tokens: int, load: tuple[float, float]) -> str:
    """How the tables came about; `load` is the machine's load average before and after."""
    return (
        f"Made by `tests/load/stack_bench.py` on {os.cpu_count()} cores: medians of {rounds} interleaved rounds, "
        f"{max_tokens} tokens a stream.\nLoad average of the machine before and after: {load[0]:.1f} and {load[1]:.1f}."
    )


def table(measured: Measured) -> str:
    """One row for each number of streams and server; Drover's ratios to a server stand in that server's row."""
    setup = measured.setup
    lines = [
        f"### {measured.words}",
        "",
        f"{setup.slots} slots of {setup.context} tokens, {setup.threads} thread{'s' if setup.threads > 1 else ''}.",
        "",
        "| streams | server | tokens/s | TTFT p50 ms | TTFT p99 ms | Drover's tokens/s ÷ | TTFT p50: Drover's − | ÷ |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for streams, sides in measured.bursts.items():
        ours = sides["drover"]
        for name, bursts in sides.items():
            firsts = f"{_first_ms(bursts, 50):.1f} | {_first_ms(bursts, 99):.1f}"
            compared = "|  |  |  |" if name == "drover" else _compared(ours, bursts)
            lines.append(f"| {streams} | {name} | {_rate(bursts):.0f} | {firsts} {compared}")
    return "\n".join(lines)


def _compared(ours: list[Burst], theirs: list[Burst]) -> str:
    """Medians over the rounds of what was measured within one round: noise that lasts is in both."""
    rates = [our.tokens_per_s / their.tokens_per_s for our, their in zip(ours, theirs, strict=True)]
    firsts = [(our.first_ms(50), their.first_ms(50)) for our, their in zip(ours, theirs, strict=True)]
    later = statistics.median(our - their for our, their in firsts)
    ratio = statistics.median(our / their for our, their in firsts)
    return f"| {statistics.median(rates):.2f} | {later:+.1f} ms | {ratio:.2f} |"


def _rate(bursts: list[Burst]) -> float:
    return statistics.median(burst.tokens_per_s for burst in bursts)


def _first_ms(bursts: list[Burst], percent: int) -> float:
    return Burst(0.0, [first for burst in bursts for first in burst.firsts_s]).first_ms(percent)
