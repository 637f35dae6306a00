import re
from typing import get_args

import pytest
from opentelemetry.metrics import Counter, Histogram

from shared.telemetry import configure_metrics, instruments, render_metrics
from shared.telemetry.exposition import BUCKETS
from shared.telemetry.instruments import DECLARED

LABELS = {"test": "exposition"}

# As DESIGN.md §8 has them.
OF_THE_DESIGN = [
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


@pytest.fixture(autouse=True)
def _configured() -> None:
    configure_metrics("test")


def exported() -> str:
    return render_metrics()[0].decode()


def value_of(metric: str, label: str, lines: list[str]) -> str:
    """The value of the one line of that metric and label; other tests' labels may stand beside it, empty."""
    (line,) = [line for line in lines if line.startswith(metric + "{") and label in line]
    return line.rsplit(" ", 1)[1]


def test_every_metric_of_the_design_is_declared() -> None:
    assert set(OF_THE_DESIGN) <= set(DECLARED)


def test_every_metric_is_exported_under_its_name() -> None:
    for recorded in vars(instruments).values():
        if isinstance(recorded, Counter):
            recorded.add(1, LABELS)
        elif isinstance(recorded, Histogram):
            recorded.record(1, LABELS)
    for gauge in get_args(instruments.ObservedGauge):
        instruments.observe(gauge, lambda: [(1.0, LABELS)])

    names = set(re.findall(r"^# TYPE (drover_\w+) ", exported(), re.MULTILINE))

    assert names == set(DECLARED)


def test_every_histogram_of_seconds_has_buckets_of_its_own() -> None:
    for name, metric in DECLARED.items():
        if metric.kind == "histogram":
            assert name in BUCKETS, f"{name} would have OpenTelemetry's buckets, which are for milliseconds"


def test_no_label_is_an_id_of_a_job_a_session_or_a_user() -> None:
    forbidden = {"job", "job_id", "session", "session_id", "user", "user_id", "key", "key_id", "turn", "path"}

    assert not [name for name, metric in DECLARED.items() if forbidden & set(metric.labels)]


def test_a_services_counters_with_known_labels_begin_at_zero() -> None:
    instruments.count_from_zero("worker")

    shown = exported()

    assert re.search(r'^drover_jobs_reaped_total\{[^}]*outcome="dead"[^}]*\} \d', shown, re.MULTILINE)
    assert re.search(r"^drover_lease_lost_total(\{test=\"\"\})? \d", shown, re.MULTILINE)


def test_a_counter_adds_up_by_label() -> None:
    labels = {"kind": "completion", "test": "sum"}

    instruments.TOKENS.add(3, labels)
    instruments.TOKENS.add(4, labels)

    assert value_of("drover_tokens_total", 'test="sum"', exported().splitlines()) == "7.0"


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
