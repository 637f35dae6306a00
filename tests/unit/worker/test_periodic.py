import threading

from worker.periodic import Periodic


def test_it_goes_on_after_an_exception() -> None:
    calls: list[int] = []
    has_gone_on = threading.Event()

    def act() -> None:
        calls.append(len(calls))
        if len(calls) < 3:
            raise ConnectionError("away")
        has_gone_on.set()

    periodic = Periodic("test", 0.001, act)
    periodic.start()

    assert has_gone_on.wait(10)
    periodic.stop()


def test_a_stopped_one_acts_no_more() -> None:
    calls: list[None] = []
    periodic = Periodic("test", 0.001, lambda: calls.append(None))
    periodic.start()
    periodic.stop(timeout_s=10)

    count = len(calls)
    threading.Event().wait(0.05)

    assert len(calls) == count
