from shared.telemetry.metric import ANY, Metric


def test_a_histogram_is_stored_as_three_series() -> None:
    metric = Metric("waited_seconds", "histogram", "", ("worker",), {})

    assert metric.series == ("waited_seconds_bucket", "waited_seconds_count", "waited_seconds_sum")


def test_a_counter_is_stored_under_its_name() -> None:
    assert Metric("jobs_total", "counter", "", ("worker",), {}).series == ("jobs_total",)


def test_known_labels_are_combined() -> None:
    metric = Metric("m", "counter", "", ("worker",), {"a": ("1", "2"), "b": ("x",)})

    assert metric.known_label_sets() == [{"a": "1", "b": "x"}, {"a": "2", "b": "x"}]


def test_a_metric_without_labels_has_one_series() -> None:
    assert Metric("m", "counter", "", ("worker",), {}).known_label_sets() == [{}]


def test_what_can_have_any_value_is_not_known_beforehand() -> None:
    assert Metric("m", "counter", "", ("worker",), {"a": ("1",), "model": ANY}).known_label_sets() == []
