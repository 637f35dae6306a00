"""F21: five times as many requests as the workers can answer, some of them with little time."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.fault.arena import Arena
from tests.fault.asking import Answer, ask
from tests.fault.faults import Fault
from tests.fault.figures import Quantiles
from tests.fault.neighbour import neighbour

TOKENS = 60
TIMES_CAPACITY = 5
QUEUED = 24
"""So many may wait: under a second's worth of the workers' capacity."""

ENOUGH_S, HARDLY_S = 10.0, 1.0
"""What most requests may take at least, and what one in ten may: about as long as it must, so that some run out of
time. On a slow machine most may take as long as all that the workers and the queue hold, three times."""

CALM_S = 60.0
"""What a request may take while the capacity is measured."""

GOODPUT = 0.9
LATE_S = 1.5
"""A deadline is looked at in every step and by the reaper, on a machine that is overloaded."""


@dataclass(frozen=True)
class Sent:
    """One request and its answer, which came at `at`, a time.monotonic()."""

    answer: Answer
    is_hurried: bool
    at: float


def scenario(arena: Arena) -> None:
    settings = {"GATEWAY_MAX_QUEUED_JOBS": str(QUEUED)}
    with neighbour(arena.stack, "gateway", settings) as first, neighbour(arena.stack, "gateway", settings) as second:
        urls = [first.url, second.url]
        capacity = _capacity(arena, urls)
        seconds = arena.seconds(4, 60)
        held = 3 * (_slots(arena) + len(urls) * QUEUED)
        end = time.monotonic() + seconds
        enough_s = max(ENOUGH_S, held / capacity)
        sent = _overload(arena, urls, max(TIMES_CAPACITY * capacity, held / seconds), seconds, enough_s)
    statuses = Counter(one.answer.status for one in sent)
    goodput = sum(one.answer.status == 200 and one.at < end for one in sent) / seconds
    arena.figure(
        "capacity → goodput (jobs/s)", f"{capacity:.1f} → {goodput:.1f} at {len(sent) / seconds:.0f} requests/s"
    )
    arena.figure("answers", dict(sorted(statuses.items())))
    arena.expect(set(statuses) <= {200, 429, 503, 504}, f"the answers were {dict(statuses)}")
    arena.expect(statuses[429] + statuses[503] > 0, "nothing was refused: that was no overload")
    if arena.is_long:
        arena.expect(goodput >= GOODPUT * capacity, f"goodput {goodput:.1f} jobs/s of {capacity:.1f}")
    patient = [one for one in sent if one.answer.status == 504 and not one.is_hurried]
    arena.expect(not patient, f"{len(patient)} patient requests ran out of time: the queue is too long")
    silent = [one for one in sent if one.answer.status in (429, 503) and "retry-after" not in one.answer.headers]
    arena.expect(not silent, f"{len(silent)} refusals do not say when to come again")
    refusals = Quantiles.of(one.answer.took_s for one in sent if one.answer.status in (429, 503))
    arena.figure("refused after (s)", refusals)
    _expect_no_late_work(arena, [one.answer.headers["x-job-id"] for one in sent if "x-job-id" in one.answer.headers])


def _expect_no_late_work(arena: Arena, job_ids: list[str]) -> None:
    """No job is decoded past its deadline."""
    late: list[float] = []
    with arena.redis() as client:
        for job_id in job_ids:
            finished, deadline = client.hmget(f"job:{job_id}", "finished_ms", "deadline_ms")
            if finished is not None and deadline is not None:
                late.append((int(finished) - int(deadline)) / 1000)
    worst = max(late, default=0.0)
    arena.figure(
        "jobs, those past their deadline, the latest (s)", f"{len(late)}, {sum(s > 0 for s in late)}, {worst:.2f}"
    )
    arena.expect(worst < LATE_S, f"a job ended {worst:.1f} s after its deadline")


def _capacity(arena: Arena, urls: list[str]) -> float:
    """Jobs a second when there are as many clients as slots, each with one request at a time."""
    lanes = _slots(arena)
    begun = time.monotonic()
    end = begun + arena.seconds(2, 15)

    def client(lane: int) -> int:
        asked = done = 0
        while not asked or time.monotonic() < end:
            url = urls[(lane + asked) % len(urls)]
            done += _ask(arena, url, f"Capacity {lane}", CALM_S).status == 200
            asked += 1
        return done

    with ThreadPoolExecutor(lanes) as pool:
        done = sum(pool.map(client, range(lanes)))
    return done / (time.monotonic() - begun)


def _slots(arena: Arena) -> int:
    return 16 * len(arena.stack.processes_of("worker"))


def _overload(arena: Arena, urls: list[str], per_second: float, seconds: float, enough_s: float) -> list[Sent]:
    """So many requests a second whatever becomes of them: who is refused does not wait."""

    def client(number: int) -> Sent:
        is_hurried = random.Random(f"{arena.seed}-{number}").random() < 0.1
        timeout_s = HARDLY_S if is_hurried else enough_s
        answer = _ask(arena, urls[number % len(urls)], f"Overload {number}", timeout_s)
        return Sent(answer, is_hurried, time.monotonic())

    with ThreadPoolExecutor(256) as pool:
        running = []
        begun = time.monotonic()
        for number in range(round(per_second * seconds)):
            time.sleep(max(0.0, begun + number / per_second - time.monotonic()))
            running.append(pool.submit(client, number))
        arena.inject.note(Fault("overload", "gateways", float("inf")))
        return [one.result() for one in running]


def _ask(arena: Arena, url: str, prompt: str, timeout_s: float) -> Answer:
    body = {
        "model": arena.stack.model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "timeout_s": timeout_s,
    }
    return ask(url, "POST", "/v1/chat/completions", body, key=arena.stack.api_key)


def test_as_much_as_possible_is_answered_and_the_rest_refused_at_once(arena: Arena) -> None:
    scenario(arena)
