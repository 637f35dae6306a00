import re
from typing import Any, get_args

import pytest
import yaml

from shared.telemetry.metric import Service
from tests.metric_names import labels_of
from tests.unit.monitoring.rule_files import ALERTS, RECORDINGS, ROOT, Alert, with_recorded

CASES = ROOT / "tests" / "unit" / "monitoring" / "alerts.promtool.yml"
DASHBOARDS = ROOT / "deploy" / "monitoring" / "grafana" / "dashboards"

every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def test_what_is_recorded_is_made_of_what_the_services_export() -> None:
    known = with_recorded()

    assert {recording.series for recording in RECORDINGS} <= set(known)


def test_a_recorded_series_is_read_by_an_alert_a_dashboard_or_another_rule() -> None:
    readers = [alert.expression for alert in ALERTS] + [recording.expression for recording in RECORDINGS]
    readers += [file.read_text(encoding="utf-8") for file in DASHBOARDS.glob("*.json")]

    unread = {
        recording.series
        for recording in RECORDINGS
        if not any(re.search(rf"{recording.series}\b", text) for text in readers)
    }

    assert not unread


@every_alert
def test_an_alert_asks_for_what_there_is(alert: Alert) -> None:
    labels_of(alert.expression, with_recorded())


@every_alert
def test_an_alert_tells_its_value_and_only_labels_that_it_has(alert: Alert) -> None:
    texts = " ".join(alert.annotations.values())
    named = set(re.findall(r"\$labels\.(\w+)", texts))

    assert "$value" in alert.annotations["description"]
    assert alert.annotations["summary"].endswith(".")
    assert named <= labels_of(alert.expression, with_recorded())


@every_alert
def test_an_alert_is_critical_or_a_warning(alert: Alert) -> None:
    assert alert.severity in ("critical", "warning")


@every_alert
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert: Alert) -> None:
    """`make rules` runs them with promtool, which no package index has."""
    cases = [case for case in _cases() if _is_about(case["expr"], alert.name)]

    # An expression that begins with ALERTS lists all that fire: whatever is not in the list does not.
    assert any(case["exp_samples"][0]["value"] > 0 for case in cases)
    assert any(case["exp_samples"][0]["value"] == 0 or case["expr"].startswith("ALERTS{") for case in cases)


def _cases() -> list[dict[str, Any]]:
    tests = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    return [case for test in tests for case in test["promql_expr_test"]]


def _is_about(expression: str, alert_name: str) -> bool:
    matcher = re.search(r'alertname=(~?)"([^"]+)"', expression)
    assert matcher is not None
    return bool(re.fullmatch(matcher[2], alert_name))


def test_no_two_alerts_have_one_name() -> None:
    names = [alert.name for alert in ALERTS]

    assert len(names) == len(set(names))


def test_the_jobs_and_services_that_alerts_name_are_those_that_prometheus_scrapes() -> None:
    scraped = yaml.safe_load((ROOT / "deploy" / "monitoring" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    jobs = {config["job_name"] for config in scraped["scrape_configs"]}
    expressions = " ".join(alert.expression for alert in ALERTS)
    named = {job for found in re.findall(r'job=~"([^"]+)"', expressions) for job in found.split("|")}
    services = set(re.findall(r'service_name="drover-([^"]+)"', expressions))

    assert named
    assert named <= jobs
    assert services == set(get_args(Service)) - {"worker"}, "a worker is not missed: see NoWorkers"
