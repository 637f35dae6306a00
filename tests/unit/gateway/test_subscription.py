import asyncio

from gateway.subscription import Subscription
from shared.events import TokensEvent


def event(seq: int) -> TokensEvent:
    return TokensEvent("j", seq, 1, [0], ["a"])


async def test_waiting_ends_when_an_event_comes() -> None:
    subscription = Subscription("j", 4)
    waiting = asyncio.create_task(subscription.wait(10))
    await asyncio.sleep(0)

    subscription.put(event(1))

    assert await waiting is True
    assert subscription.take() == [event(1)]
    assert subscription.take() == []


async def test_waiting_ends_without_events_after_the_silence() -> None:
    assert await Subscription("j", 4).wait(0.01) is False


async def test_a_full_buffer_is_dropped_and_the_log_must_be_read() -> None:
    subscription = Subscription("j", 2)

    for seq in (1, 2, 3):
        subscription.put(event(seq))

    assert subscription.is_dirty
    assert subscription.take() == []
    assert await subscription.wait(10) is True


async def test_waiting_can_be_cancelled_and_begun_again() -> None:
    subscription = Subscription("j", 2)
    waiting = asyncio.create_task(subscription.wait(10))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    subscription.mark_dirty()

    assert await subscription.wait(10) is True
