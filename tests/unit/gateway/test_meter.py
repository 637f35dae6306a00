import re

import pytest

from gateway.meter import SAMPLED_GAPS, StreamMeter
from shared.telemetry import configure_metrics, render_metrics


@pytest.fixture(autouse=True)
def _configured() -> None:
    configure_metrics("test")


def shown(metric: str, model: str) -> float:
    """The sum of the metric's lines for the model."""
    page = render_metrics()[0].decode()
    return sum(float(value) for value in re.findall(rf"^{metric}{{.*{model}.*}} (\S+)$", page, re.MULTILINE))


async def test_a_stream_is_counted_as_long_as_it_is_followed() -> None:
    meter = StreamMeter()

    with meter.following("meter-a"), meter.following("meter-a"):
        during = meter.active

    assert (during, meter.active) == (2, 0)


async def test_the_first_token_and_one_gap_of_eight_are_timed() -> None:
    with StreamMeter().following("meter-b") as timer:
        for _ in range(2 * SAMPLED_GAPS):
            timer.tokens_came()

    assert shown("drover_time_to_first_token_seconds_count", "meter-b") == 1
    assert shown("drover_inter_token_seconds_count", "meter-b") == 2


async def test_who_comes_back_to_a_job_says_nothing_of_its_first_token() -> None:
    with StreamMeter().following("meter-c", is_return=True) as timer:
        for _ in range(SAMPLED_GAPS):
            timer.tokens_came()

    assert shown("drover_time_to_first_token_seconds_count", "meter-c") == 0
    assert shown("drover_inter_token_seconds_count", "meter-c") == 1


async def test_a_stream_without_tokens_has_no_first_one() -> None:
    with StreamMeter().following("meter-d"):
        pass

    assert shown("drover_time_to_first_token_seconds_count", "meter-d") == 0
