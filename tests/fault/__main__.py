"""The long form of the fault tests: `make fault`, `make soak`, or `python -m tests.fault --help`."""

import argparse
import sys
import time
from pathlib import Path

import pytest

from tests.fault import report
from tests.fault.arena import Arena, Ground, Outcome
from tests.fault.catalogue import FaultTest, fault_tests
from tests.fault.ground import fault_stack
from tests.fault.storm import storm

FOLDER = Path(".build/faults")
DOCUMENT = Path("docs/operations.md")


def main() -> int:
    """Run what was asked for, print the table, write it; exit status 1 when anything was wrong."""
    options = _options()
    tests = _chosen(options)
    if strangers := set(options.tests) - {test.name for test in tests}:
        _say(f"There is no fault test {', '.join(sorted(strangers))}.")
        return 2
    outcomes: list[Outcome] = []
    with fault_stack(gateways=options.gateways, workers=options.workers, lease_s=options.lease) as stack:
        ground = Ground(stack)
        for round_number in range(options.rounds):
            for test in tests:
                if outcome := _run(ground, test, options.seed + round_number, options):
                    outcomes.append(outcome)
                report.write(outcomes, FOLDER)
    _say("")
    _say(report.table(outcomes))
    _say(f"Written to {FOLDER}/report.md and report.json.")
    if options.docs:
        report.write_into(DOCUMENT, outcomes, {test.name: test.title for test in tests})
    wrong = [outcome for outcome in outcomes if not outcome.has_passed]
    kills = sum(sum(outcome.faults.values()) for outcome in outcomes)
    _say(f"{len(outcomes)} runs, {kills} faults, {sum(o.streams for o in outcomes)} streams: ")
    _say("ALL PASSED" if not wrong else f"FAILED: {', '.join(sorted({outcome.name for outcome in wrong}))}")
    return 1 if wrong else 0


def _chosen(options: argparse.Namespace) -> list[FaultTest]:
    """Those that were named; else the storm if kills were asked for; else all but the soak."""
    if options.kills and not options.tests:
        return [FaultTest("kills", "kill -9 of every kind of process at once", storm)]
    if options.tests:
        return [test for test in fault_tests() if test.name in options.tests]
    return [test for test in fault_tests() if test.name != "F25"]


def _run(ground: Ground, test: FaultTest, seed: int, options: argparse.Namespace) -> Outcome | None:
    """None when the machine lacks what the test needs."""
    _say(f"{time.strftime('%H:%M:%S')} {test.title} (seed {seed})")
    ground.stack.wait_until_whole()
    arena = Arena(
        *(ground, test.name, seed),
        times=options.times,
        minutes=options.minutes,
        kills=options.kills,
        say=lambda line: _say(f"  {time.strftime('%H:%M:%S')} {line}"),
    )
    try:
        test.scenario(arena)
    except pytest.skip.Exception as reason:
        _say(f"  SKIPPED: {reason}")
        return None
    except Exception as error:  # one scenario that breaks does not end the run
        arena.expect(False, f"the scenario itself failed: {error!r}")
    outcome = arena.outcome()
    for problem in outcome.problems[:20]:
        _say(f"  PROBLEM {problem}")
    _say(f"  {'passed' if outcome.has_passed else 'FAILED'} in {outcome.wall_s:.0f} s; pauses {outcome.pause or '–'} s")
    return outcome


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    parser.add_argument("tests", nargs="*", help="F1 F2 …; all but the soak when none is named")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=1, help="each with the next seed")
    parser.add_argument("--times", type=float, default=1.0, help="scales how much harm each test does")
    parser.add_argument("--kills", type=int, default=0, help="the storm, until so many processes were killed")
    parser.add_argument("--minutes", type=float, default=10, help="of the soak, F25")
    parser.add_argument("--docs", action="store_true", help=f"put the figures into {DOCUMENT}")
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--lease", type=float, default=1.5, help="seconds")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
