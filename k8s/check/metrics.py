"""Each metric and label that an autoscaler, an alert or a dashboard names is one that the services export."""

import json
from collections.abc import Iterator

import yaml

from k8s.check.manifest import Data, Manifest, Overlay, everywhere
from k8s.check.rendering import ROOT
from shared.telemetry.instruments import DECLARED
from tests.metric_names import SCRAPED, Series, UnknownNameError, labels_of

ADAPTER_VALUES = ROOT / "components" / "queue-autoscaling" / "adapter-values.yaml"
POD_LABELS = frozenset({"namespace", "pod", "service", "container", "endpoint"})
"""The Prometheus operator adds them to what a ServiceMonitor finds."""

IN_CLUSTER: Series = {name: labels | POD_LABELS for name, labels in SCRAPED.items()}
_OF_PROMETHEUS: Series = {"ALERTS": frozenset({"alertname", "alertstate", "severity"})}


def adapter_rules() -> dict[str, Data]:
    """prometheus-adapter's rules by the metric that they offer."""
    values = yaml.safe_load(ADAPTER_VALUES.read_text(encoding="utf-8"))
    return {rule.get("name", {}).get("as", series_of(rule)): rule for rule in values["rules"]["custom"]}


def series_of(rule: Data) -> str:
    """The series that a rule is about."""
    return str(rule["seriesQuery"]).partition("{")[0]


def check_metrics(overlay: Overlay) -> list[str]:
    """One sentence for each name that nobody exports."""
    return [
        *(problem for scaler in overlay.of_kind("HorizontalPodAutoscaler") for problem in _of_autoscaler(scaler)),
        *(problem for scaled in overlay.of_kind("ScaledObject") for problem in _of_scaled_object(scaled)),
        *_of_rules_and_dashboards(overlay),
    ]


def expression_of(rule: Data, resource: str) -> str:
    """What the adapter asks Prometheus for one object of this kind."""
    label = next(name for name, given in rule["resources"]["overrides"].items() if given["resource"] == resource)
    filled = {"Series": series_of(rule), "LabelMatchers": f'namespace="drover",{label}="x"', "GroupBy": label}
    query = str(rule["metricsQuery"])
    for name, text in filled.items():
        query = query.replace(f"<<.{name}>>", text)
    return query


def _of_autoscaler(scaler: Manifest) -> Iterator[str]:
    rules = adapter_rules()
    for given in scaler.spec["metrics"]:
        kind = given["type"].lower()
        name = given[kind]["metric"]["name"]
        resource = given[kind].get("describedObject", {}).get("kind", "Pod").lower()
        exporter = given[kind].get("describedObject", {}).get("name", scaler.spec["scaleTargetRef"]["name"])
        if name not in rules:
            yield f"{scaler.title}: adapter-values.yaml has no rule for {name}."
            continue
        series = series_of(rules[name])
        yield from _of_expression(rules[name]["seriesQuery"], f"{scaler.title}, seriesQuery")
        yield from _of_expression(expression_of(rules[name], resource), f"{scaler.title}, metricsQuery")
        if series in DECLARED and exporter not in DECLARED[series].services:
            yield f"{scaler.title}: {exporter} does not export {series}, {', '.join(DECLARED[series].services)} does."


def _of_scaled_object(scaled: Manifest) -> Iterator[str]:
    for trigger in scaled.spec["triggers"]:
        query = trigger["metadata"]["query"]
        yield from _of_expression(query, scaled.title)
        if f'namespace="{scaled.namespace}"' not in query:
            yield f"{scaled.title}: its query {query} counts another namespace."


def _of_rules_and_dashboards(overlay: Overlay) -> Iterator[str]:
    """Both may name what a rule records."""
    rules = [
        rule for found in overlay.of_kind("PrometheusRule") for group in found.spec["groups"] for rule in group["rules"]
    ]
    known = {**_with_recorded(rules), **_OF_PROMETHEUS}
    for rule in rules:
        yield from _of_expression(str(rule["expr"]), f"rule {rule.get('alert') or rule.get('record')}", known)
    for config in overlay.of_kind("ConfigMap"):
        if "grafana_dashboard" in config.labels:
            for file, text in config.data["data"].items():
                for expression in _queries(json.loads(text)):
                    yield from _of_expression(expression, f"dashboard {file}", known)


def _with_recorded(rules: list[Data]) -> Series:
    """What is scraped, and what the rules record of it; a rule may stand before the one that it reads."""
    known, left = dict(IN_CLUSTER), [rule for rule in rules if "record" in rule]
    while left:
        later = []
        for rule in left:
            try:
                labels = labels_of(str(rule["expr"]), known) | rule.get("labels", {}).keys()
            except UnknownNameError:
                later.append(rule)
            else:
                known[rule["record"]] = known.get(rule["record"], frozenset()) | labels
        if len(later) == len(left):
            break  # what is left names what nobody exports: their own expressions say so
        left = later
    return known


def _queries(dashboard: Data) -> Iterator[str]:
    """The expressions of a dashboard that go to Prometheus."""
    for targets in everywhere(dashboard, "targets"):
        for target in targets:
            if "expr" in target and target.get("datasource", {}).get("type", "prometheus") == "prometheus":
                yield str(target["expr"])


def _of_expression(expression: str, where: str, known: Series = IN_CLUSTER) -> Iterator[str]:
    try:
        labels_of(expression, known)
    except (UnknownNameError, ValueError) as error:
        yield f"{where}: {error}"
