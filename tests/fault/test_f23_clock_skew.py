"""F23: the clocks of workers and gateways are half a minute fast or slow."""

from pathlib import Path

from tests.fault.arena import Arena
from tests.fault.faults import Fault, counter, scrape
from tests.fault.neighbour import neighbour

SKEW_S = 30


def scenario(arena: Arena) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    arena.require(library, "libfaketime is not installed: apt-get install faketime")
    fast, slow = ({"LD_PRELOAD": str(library), "FAKETIME": f"{sign}{SKEW_S}s"} for sign in "+-")
    with (
        neighbour(arena.stack, "gateway", fast) as fast_gateway,
        neighbour(arena.stack, "gateway", slow) as slow_gateway,
        neighbour(arena.stack, "worker", fast) as fast_worker,
        neighbour(arena.stack, "worker", slow) as slow_worker,
    ):
        for skewed in (fast_gateway, slow_gateway, fast_worker, slow_worker):
            arena.inject.note(Fault("skewed clock", skewed.role, float("inf")))
        arena.gateways = lambda: [fast_gateway.url, slow_gateway.url]
        with arena.load():
            for _ in arena.times(short=1, long=20):
                arena.calm(1, 2)
                arena.inject.kill("worker")  # its jobs go on in a worker with another clock
            arena.sleep(1, 2)
        pages = [scrape(worker.address) for worker in (fast_worker, slow_worker)]
        lost = sum(counter(page, "drover_lease_lost_total") for page in pages)
    arena.gateways = lambda: arena.stack.gateways
    arena.expect(lost == 0, f"{lost:g} leases were lost in workers with skewed clocks")


def test_nothing_expires_early_though_clocks_are_skewed(arena: Arena) -> None:
    scenario(arena)
