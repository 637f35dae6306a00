import pytest

from shared.telemetry.instruments import DECLARED
from tests.metric_names import EXPORTED, UnknownNameError, labels_of, without_variables


def test_every_declared_metric_is_there_with_its_labels() -> None:
    assert EXPORTED["drover_queue_depth"] == {"queue", "instance", "job"}
    assert EXPORTED["drover_batch_size_bucket"] == {"model", "le", "instance", "job"}
    assert {name for metric in DECLARED.values() for name in metric.series} == set(EXPORTED)


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("drover_queue_depth", {"queue", "instance", "job"}),
        ("max by (queue) (drover_queue_depth)", {"queue"}),
        ("sum without (instance) (drover_queue_depth)", {"queue", "job"}),
        ("sum(drover_queue_depth)", set()),
        ("topk(5, max by (queue) (drover_queue_depth))", {"queue"}),
        ("histogram_quantile(0.9, sum by (le, model) (rate(drover_batch_size_bucket[5m])))", {"model"}),
        ("max by (queue) (drover_queue_depth) / on (queue) sum by (queue) (drover_queue_depth)", {"queue"}),
        ("vector(1) or max by (queue) (drover_queue_depth)", {"queue"}),
        ('label_replace(sum(up), "model", "$1", "job", "(.*)")', {"model"}),
        ("max_over_time((drover_queue_depth > 3)[5m:1m])", {"queue", "instance", "job"}),
        ("2 * -sum by (queue) (drover_queue_depth)", {"queue"}),
        ('absent(up{job="worker"})', {"instance", "job"}),
    ],
)
def test_the_labels_of_a_result_follow_from_its_expression(expression: str, labels: set[str]) -> None:
    assert labels_of(expression) == labels


@pytest.mark.parametrize(
    "expression",
    [
        "drover_queue_length",
        "rate(drover_batch_size[5m])",  # a histogram has no series of its own name
        'drover_queue_depth{model="m"}',
        'drover_jobs_total{state="finished"}',
        'drover_jobs_total{state=~"lost|gone"}',
        "sum by (model) (drover_queue_depth)",
        "sum without (model) (drover_queue_depth)",
        "sum by (job) (max by (queue) (drover_queue_depth))",
        "drover_queue_depth / on (model) drover_queue_depth",
        "histogram_quantile(0.9, sum by (model) (rate(drover_batch_size_bucket[5m])))",
        "up + (1 - drover_gone)",
        "max_over_time(drover_gone[5m:1m])",
    ],
)
def test_a_name_that_nobody_exports_is_found_wherever_it_stands(expression: str) -> None:
    with pytest.raises(UnknownNameError):
        labels_of(expression)


def test_what_is_no_promql_is_refused() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        labels_of("sum by (queue (drover_queue_depth)")


def test_grafanas_variables_leave_an_expression_that_parses() -> None:
    assert without_variables("rate(a[$__rate_interval]) * $price") == "rate(a[5m]) * 1"
    assert labels_of('rate(drover_tokens_total{model=~"$model"}[${__range}])') >= {"kind", "model"}
