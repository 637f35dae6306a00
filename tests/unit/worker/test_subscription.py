"""The queues that are wanted, and whether Celery's loop has followed."""

import threading

from worker.subscription import Subscription


class Loop:
    """Follows at once, in the thread that wakes it."""

    def __init__(self, subscription: Subscription):
        self._subscription = subscription
        self.seen: list[frozenset[str]] = []
        subscription.attach(self.follow)
        self.follow()

    def follow(self) -> None:
        self.seen.append(self._subscription.wanted)
        self._subscription.follows(self._subscription.wanted)


def test_a_change_wakes_the_loop_and_the_same_queues_again_do_not() -> None:
    subscription = Subscription()
    subscription.follow(["a"])
    loop = Loop(subscription)

    subscription.follow(["a", "b"])
    subscription.follow(["b", "a"])

    assert loop.seen == [{"a"}, {"a", "b"}]


def test_a_pause_wants_nothing_whatever_is_followed_meanwhile() -> None:
    subscription = Subscription()
    loop = Loop(subscription)
    subscription.follow(["a"])

    assert subscription.pause()
    subscription.follow(["a", "b"])
    assert loop.seen[-1] == frozenset()
    subscription.resume()

    assert loop.seen[-1] == {"a", "b"}


def test_a_pause_without_a_broker_is_one_at_once() -> None:
    assert Subscription().pause()


def test_a_pause_ends_its_wait_when_the_broker_goes() -> None:
    subscription = Subscription()
    subscription.follow(["a"])
    subscription.attach(lambda: threading.Timer(0.01, subscription.detach).start())

    assert subscription.pause()
    assert not subscription.is_attached
