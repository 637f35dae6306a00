"""What the autoscalers of k8s/ would do: `python -m tests.load.hpa_simulation`. Needs kubectl, but no cluster.

Their numbers are read from the rendered manifests. An hour takes a second.
"""

import argparse
from dataclasses import dataclass

from k8s.check.manifest import Manifest, Overlay
from k8s.check.rendering import overlay
from tests.load.hpa_simulation_fleet import Workload
from tests.load.hpa_simulation_manifest import Autoscaler, read_autoscaler
from tests.load.hpa_simulation_scenarios import Outcome, Scenario, noisy, of_shape, simulate
from tests.load.hpa_simulation_variants import variants

HOUR_S = 3600


@dataclass(frozen=True)
class Case:
    """A service under a load of `users`. The times are of the kind of pods that the words tell of."""

    service: str
    words: str
    load: Workload
    users: int


CASES = [
    Case("worker", "7 GB model, 60 s to load", Workload(32, 15.0, 5.0, 15.0, 60.0, 30.0), 250),
    Case("worker", "40 GB model, 240 s to load", Workload(32, 15.0, 5.0, 15.0, 240.0, 30.0), 250),
    Case("gateway", "streams of 15 s", Workload(100, 15.0, 5.0, 5.0, 3.0, 120.0, weight=20), 180),
    Case("embedding-service", "batches of 8 texts, 2 s each", Workload(16, 2.0, 2.0, 10.0, 5.0, 20.0, weight=8), 90),
]


def scenarios(users: int) -> list[Scenario]:
    """The load generator's shapes, an hour each, and the noisy one."""
    shapes = [of_shape(name, users, HOUR_S) for name in ("steady", "ramp", "spike", "soak")]
    return [*shapes, noisy(users, HOUR_S)]


def autoscaler_of(found: Overlay, service: str) -> Autoscaler:
    """The rendered one. Raises LookupError."""
    return read_autoscaler(_required(found, "HorizontalPodAutoscaler", service))


def scrape_s(found: Overlay) -> float:
    """How often the rendered ServiceMonitor has Prometheus look."""
    return float(_required(found, "ServiceMonitor", "drover").spec["endpoints"][0]["interval"].removesuffix("s"))


def _required(found: Overlay, kind: str, name: str) -> Manifest:
    manifest = found.find(kind, name)
    if manifest is None:
        raise LookupError(f"The overlay {found.name} renders no {kind} {name}.")
    return manifest


HEADER = """
| {first} | pods | changes | flaps | nobody waits after the step | longest queue | p95 wait | moved | pod hours |
|---|---|---|---|---|---|---|---|---|"""


def row(first: str, outcome: Outcome) -> str:
    """A line of the table."""
    recovery = "–" if outcome.recovery_s is None else f"{outcome.recovery_s:.0f} s"
    cells = [
        first,
        f"{min(outcome.replicas)}–{max(outcome.replicas)}",
        f"{outcome.changes}",
        f"{outcome.flaps}",
        recovery,
        f"{outcome.longest_queue}",
        f"{outcome.wait_p95_s:.1f} s",
        f"{outcome.moved}",
        f"{outcome.pod_hours:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.hpa_simulation", description=__doc__)
    parser.add_argument("--variants", action="store_true", help="what other numbers for the workers would do")
    parser.add_argument("--overlay", default="production", help="whose autoscalers")
    parser.add_argument("--seed", type=int, default=7, help="chooses the lengths of answers and pauses")
    chosen = parser.parse_args()
    found = overlay(chosen.overlay)
    for case in CASES:
        if chosen.variants and case.service != "worker":
            continue
        scaler = autoscaler_of(found, case.service)
        print(f"\n{case.service}: {case.words}, {case.users * case.load.weight} users")
        if chosen.variants:
            _print_variants(case, scaler, scrape_s(found), chosen.seed)
        else:
            print(HEADER.format(first="shape"))
            for scenario in scenarios(case.users):
                outcome = simulate(scaler, case.load, scenario, scrape_s=scrape_s(found), seed=chosen.seed)
                print(row(scenario.name, outcome))


def _print_variants(case: Case, scaler: Autoscaler, scrapes_s: float, seed: int) -> None:
    for scenario in (of_shape("spike", case.users, HOUR_S), noisy(case.users, HOUR_S)):
        print(HEADER.format(first=scenario.name))
        for words, variant in variants(scaler):
            outcome = simulate(variant, case.load, scenario, scrape_s=scrapes_s, seed=seed, settled_by=scaler)
            print(row(words, outcome))


if __name__ == "__main__":
    main()
