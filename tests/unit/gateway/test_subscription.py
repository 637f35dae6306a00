import asyncio

import pytest

from gateway.subscription import Subscription
from shared.events import TokensEvent


def event(seq: int) -> TokensEvent:
    return TokensEvent("j", seq, 1, [0], ["a"])


async def test_waiting_ends_when_an_event_comes() -> None:
    subscription = Subscription("j", 4, 10_000)
    waiting = asyncio.create_task(subscription.wait(10))
    await asyncio.sleep(0)

    subscription.put(event(1).encode())

    assert await waiting is True
    assert subscription.take() == [event(1)]
    assert subscription.take() == []


async def test_waiting_ends_without_events_after_the_silence() -> None:
    assert await Subscription("j", 4, 10_000).wait(0.01) is False


async def test_a_full_buffer_is_dropped_and_the_log_must_be_read() -> None:
    subscription = Subscription("j", 2, 10_000)

    for seq in (1, 2, 3):
        subscription.put(event(seq).encode())

    assert subscription.is_dirty
    assert subscription.take() == []
    assert await subscription.wait(10) is True


async def test_waiting_can_be_cancelled_and_begun_again() -> None:
    subscription = Subscription("j", 2, 10_000)
    waiting = asyncio.create_task(subscription.wait(10))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    subscription.mark_dirty()

    assert await subscription.wait(10) is True


async def test_a_buffer_is_full_by_its_bytes_too() -> None:
    subscription = Subscription("j", 100, 200)

    for seq in range(1, 5):
        subscription.put(TokensEvent("j", seq, 1, [0], ["a" * 90]).encode())

    assert subscription.is_dirty
    assert len(subscription.take()) <= 2


async def test_one_event_larger_than_the_buffer_is_kept() -> None:
    subscription = Subscription("j", 100, 200)

    subscription.put(TokensEvent("j", 1, 1, [0], ["a" * 1000]).encode())

    assert not subscription.is_dirty
    assert len(subscription.take()) == 1


@pytest.mark.parametrize("data", [b"{", b"[]", TokensEvent("another", 1, 1, [0], ["a"]).encode()])
async def test_what_is_not_readable_or_another_jobs_is_left_out(data: bytes) -> None:
    subscription = Subscription("j", 100, 200)

    subscription.put(data)
    subscription.put(event(1).encode())

    assert subscription.take() == [event(1)]
