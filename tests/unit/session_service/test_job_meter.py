import re

import pytest

from session_service.job_meter import STATES, JobMeter
from shared.events import Usage
from shared.ledger import OutboxEntry
from shared.ledger.answers import JobState
from shared.telemetry import configure_metrics, render_metrics

KINDS = ("prompt", "completion", "cached")


@pytest.fixture(autouse=True)
def _configured() -> None:
    configure_metrics("test")


def an_entry(tenant_id: str, *, model: str = "meter", state: JobState = "done", took_ms: int = 1500) -> OutboxEntry:
    return OutboxEntry(
        job_id="j",
        tenant_id=tenant_id,
        key_id="k",
        model=model,
        session_id=None,
        state=state,
        finish_reason="stop",
        usage=Usage(7, 3, 2),
        last_seq=3,
        accepted_ms=10_000,
        finished_ms=10_000 + took_ms,
        error=None,
    )


def shown(metric: str, *labels: str) -> float:
    """The sum of the metric's lines that have all these labels."""
    lines = re.findall(rf"^{metric}{{(.*)}} (\S+)$", render_metrics()[0].decode(), re.MULTILINE)
    return sum(float(value) for found, value in lines if all(label in found for label in labels))


def test_a_tenants_tokens_are_counted_by_kind() -> None:
    JobMeter(max_tenants=1).count(an_entry("ten_by_kind"))

    tokens = [shown("drover_tenant_tokens_total", 'tenant="ten_by_kind"', f'kind="{kind}"') for kind in KINDS]
    assert tokens == [7, 3, 2]


def test_tenants_beyond_the_bound_share_one_series() -> None:
    meter = JobMeter(max_tenants=2)
    before = shown("drover_tenant_tokens_total", 'tenant="other"')

    for tenant in ("ten_a", "ten_b", "ten_c", "ten_d", "ten_a"):
        meter.count(an_entry(tenant))

    assert shown("drover_tenant_tokens_total", 'tenant="ten_a"') == 24
    assert shown("drover_tenant_tokens_total", 'tenant="ten_c"') == 0
    assert shown("drover_tenant_tokens_total", 'tenant="other"') - before == 24


def test_with_a_bound_of_zero_no_tenant_is_named() -> None:
    JobMeter(max_tenants=0).count(an_entry("ten_never"))

    assert shown("drover_tenant_tokens_total", 'tenant="ten_never"') == 0


def test_how_a_job_ended_and_how_long_it_took_is_counted_by_model() -> None:
    JobMeter(max_tenants=0).count(an_entry("ten_e", model="meter-dead", state="dead", took_ms=2000))

    assert shown("drover_jobs_total", 'model="meter-dead"', 'state="dead"') == 1
    assert shown("drover_job_duration_seconds_sum", 'model="meter-dead"') == 2


def test_the_states_that_no_job_of_the_model_ended_in_are_shown_as_zero() -> None:
    JobMeter(max_tenants=0).count(an_entry("ten_g", model="meter-new"))

    page = render_metrics()[0].decode()
    shown_states = set(re.findall(r'^drover_jobs_total{.*model="meter-new".*state="(\w+)"', page, re.MULTILINE))
    assert shown_states == set(STATES)


def test_a_clock_that_was_set_back_gives_no_negative_duration() -> None:
    JobMeter(max_tenants=0).count(an_entry("ten_f", model="meter-back", took_ms=-500))

    assert shown("drover_job_duration_seconds_sum", 'model="meter-back"') == 0
