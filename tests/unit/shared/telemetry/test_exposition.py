import re
from typing import get_args

import pytest

from shared.telemetry import configure_metrics, instruments, render_metrics

LABELS = {"test": "exposition"}

# As DESIGN.md §8 has them.
EXPORTED = [
    "drover_requests_total",
    "drover_queue_depth",
    "drover_queue_oldest_age_seconds",
    "drover_time_to_first_token_seconds",
    "drover_inter_token_seconds",
    "drover_tokens_total",
    "drover_batch_size",
    "drover_models_loaded",
    "drover_model_load_seconds",
    "drover_model_evictions_total",
    "drover_kv_cache_usage_ratio",
    "drover_prefix_cache_tokens_total",
    "drover_lease_lost_total",
    "drover_fenced_total",
    "drover_hint_repaired_total",
    "drover_gap_repaired_total",
    "drover_streams_active",
]
COUNTERS = [
    instruments.REQUESTS,
    instruments.TOKENS,
    instruments.MODEL_EVICTIONS,
    instruments.PREFIX_CACHE_TOKENS,
    instruments.LEASE_LOST,
    instruments.FENCED,
    instruments.HINT_REPAIRED,
    instruments.GAP_REPAIRED,
]
HISTOGRAMS = [instruments.TIME_TO_FIRST_TOKEN, instruments.INTER_TOKEN, instruments.BATCH_SIZE, instruments.MODEL_LOAD]


@pytest.fixture(autouse=True)
def _configured() -> None:
    configure_metrics("test")


def exported() -> str:
    return render_metrics()[0].decode()


def value_of(metric: str, label: str, lines: list[str]) -> str:
    """The value of the one line of that metric and label; other tests' labels may stand beside it, empty."""
    (line,) = [line for line in lines if line.startswith(metric + "{") and label in line]
    return line.rsplit(" ", 1)[1]


def test_every_metric_is_exported_under_its_name() -> None:
    for counter in COUNTERS:
        counter.add(1, LABELS)
    for histogram in HISTOGRAMS:
        histogram.record(1, LABELS)
    for gauge in get_args(instruments.ObservedGauge):
        instruments.observe(gauge, lambda: [(1.0, LABELS)])

    names = set(re.findall(r"^# TYPE (drover_\w+) ", exported(), re.MULTILINE))

    assert names == set(EXPORTED)


def test_a_counter_adds_up_by_label() -> None:
    labels = {"kind": "completion", **LABELS}

    instruments.TOKENS.add(3, labels)
    instruments.TOKENS.add(4, labels)

    assert 'drover_tokens_total{kind="completion",test="exposition"} 7.0' in exported()


def test_a_first_token_falls_into_its_bucket() -> None:
    instruments.TIME_TO_FIRST_TOKEN.record(0.025, {"test": "bucket"})

    lines = [line for line in exported().splitlines() if 'test="bucket"' in line]
    assert value_of("drover_time_to_first_token_seconds_bucket", 'le="0.02"', lines) == "0.0"
    assert value_of("drover_time_to_first_token_seconds_bucket", 'le="0.03"', lines) == "1.0"
    assert value_of("drover_time_to_first_token_seconds_count", "", lines) == "1.0"


def test_an_observed_gauge_is_read_when_the_metrics_are_asked_for() -> None:
    depth = 3.0
    instruments.observe("drover_queue_depth", lambda: [(depth, {"queue": "model.a"}), (0.0, {"queue": "model.b"})])

    first = exported()
    depth = 5.0
    second = exported()

    assert 'drover_queue_depth{queue="model.a"} 3.0' in first
    assert 'drover_queue_depth{queue="model.a"} 5.0' in second
    assert 'drover_queue_depth{queue="model.b"} 0.0' in second


def test_a_reader_that_fails_does_not_take_the_other_metrics_with_it() -> None:
    def fail() -> list[instruments.Reading]:
        raise RuntimeError("the model is gone")

    instruments.observe("drover_models_loaded", fail)
    instruments.FENCED.add(1, LABELS)

    assert "drover_fenced_total" in exported()
    instruments.observe("drover_models_loaded", list)


def test_configuring_twice_changes_nothing() -> None:
    before = re.findall(r'service_name="([^"]+)"', exported())

    configure_metrics("another")

    assert re.findall(r'service_name="([^"]+)"', exported()) == before != []
    assert "drover-another" not in before


def test_the_content_type_is_prometheus() -> None:
    assert render_metrics()[1].startswith("text/plain")
