"""F22: many clients of one key on several gateways at once, and the limits' Redis away."""

import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.fault.arena import Arena
from tests.fault.asking import Answer, ask
from tests.fault.faults import Fault
from tests.fault.figures import Quantiles
from tests.fault.neighbour import neighbour
from tests.fault.tenants import make_key
from tests.stack import wait_until

CLIENTS = 32
PER_MINUTE = 60


def scenario(arena: Arena) -> None:
    for number in arena.times(short=1, long=4):
        name = f"limited-{arena.seed}-{number}-{time.time_ns()}"
        key, _ = make_key(arena.stack, name, requests_per_minute=PER_MINUTE, concurrent_jobs=0)
        with contextlib.ExitStack() as extra:
            added = [extra.enter_context(neighbour(arena.stack, "gateway")).url for _ in range(arena.count(0, 1))]
            urls = [*arena.stack.gateways, *added]
            _expect_limit(arena, urls, key)
        _expect_refusals_without_redis(arena, key)


def _expect_limit(arena: Arena, urls: list[str], key: str) -> None:
    """A minute's worth at once, then as many as drain meanwhile, and one that was on its way: no more."""
    begun = time.monotonic()
    answers = _hammer(arena, urls, key, arena.seconds(3, 20))
    took_s = time.monotonic() - begun
    statuses = Counter(answer.status for answer in answers)
    limit = PER_MINUTE * (1 + took_s / 60) + 1
    arena.figure("admitted / limit and refused", f"{statuses[200]} / {limit:.1f} and {statuses[429]}")
    arena.expect(statuses[200] <= limit, f"{statuses[200]} requests were admitted, {limit:.1f} are the limit")
    arena.expect(statuses[200] >= PER_MINUTE, f"only {statuses[200]} requests were admitted")
    arena.expect(set(statuses) <= {200, 429, 503}, f"the answers were {dict(statuses)}")  # 503: Redis was too slow
    silent = [answer for answer in answers if answer.status != 200 and "retry-after" not in answer.headers]
    arena.expect(not silent, f"{len(silent)} refusals do not say when to come again")


def _expect_refusals_without_redis(arena: Arena, key: str) -> None:
    """Where the limits cannot be asked, nobody is let in: 503 with Retry-After. Afterwards it works again."""
    urls = arena.stack.gateways
    with arena.inject.down("redis"):
        answers = _hammer(arena, urls, arena.stack.api_key, arena.seconds(2, 10))
    statuses = Counter(answer.status for answer in answers)
    arena.figure("without Redis", dict(statuses))
    arena.figure("without Redis: refused after (s)", Quantiles.of(answer.took_s for answer in answers))
    arena.expect(set(statuses) == {503}, f"without Redis the answers were {dict(statuses)}")
    silent = [answer for answer in answers if "retry-after" not in answer.headers]
    arena.expect(not silent, f"{len(silent)} refusals do not say when to come again")
    wait_until(lambda: _ask(urls[0], arena.stack.api_key).status == 200, "a request is admitted again")
    arena.stack.wait_until_whole()


def _hammer(arena: Arena, urls: list[str], key: str, seconds: float) -> list[Answer]:
    """What all clients hear who ask again and again, each at another gateway every time."""
    end = time.monotonic() + seconds

    def client(lane: int) -> list[Answer]:
        heard: list[Answer] = []
        while time.monotonic() < end:
            heard.append(_ask(urls[(lane + len(heard)) % len(urls)], key))
            if heard[-1].status != 200:
                time.sleep(0.1)
        return heard

    for _ in range(CLIENTS):
        arena.inject.note(Fault("greedy client", "gateway", float("inf")))
    with ThreadPoolExecutor(CLIENTS) as pool:
        return [answer for heard in pool.map(client, range(CLIENTS)) for answer in heard]


def _ask(url: str, key: str) -> Answer:
    body = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Me too"}], "max_tokens": 1}
    return ask(url, "POST", "/v1/chat/completions", body, key=key)


def test_a_key_gets_no_more_than_its_limit_from_all_gateways_together(arena: Arena) -> None:
    scenario(arena)
