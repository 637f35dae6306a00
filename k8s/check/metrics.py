"""Each metric and label that an autoscaler, an alert or a dashboard names is one that the services export."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from k8s.check.manifest import Data, Manifest, Overlay, everywhere
from k8s.check.rendering import ROOT
from shared.telemetry.instruments import DECLARED
from tests.metric_names import SCRAPED, Series, UnknownNameError, labels_of

ADAPTER_VALUES = ROOT / "components" / "queue-autoscaling" / "adapter-values.yaml"
POD_LABELS = frozenset({"namespace", "pod", "service", "container", "endpoint"})
"""The Prometheus operator adds them to what a ServiceMonitor finds."""

IN_CLUSTER: Series = {name: labels | POD_LABELS for name, labels in SCRAPED.items()}
EXPORTERS = {"gateway": "gateway", "worker": "worker", "embedding-service": "embedding"}
"""Deployments, by the names under which their services declare metrics."""


def adapter_rules() -> dict[str, Data]:
    """prometheus-adapter's rules by the metric that they offer."""
    values = yaml.safe_load(ADAPTER_VALUES.read_text(encoding="utf-8"))
    return {rule["seriesQuery"].partition("{")[0]: rule for rule in values["rules"]["custom"]}


def check_metrics(overlay: Overlay) -> list[str]:
    """One sentence for each name that nobody exports."""
    return [
        *(problem for scaler in overlay.of_kind("HorizontalPodAutoscaler") for problem in _of_autoscaler(scaler)),
        *(problem for scaled in overlay.of_kind("ScaledObject") for problem in _of_scaled_object(scaled)),
        *(problem for rule in overlay.of_kind("PrometheusRule") for problem in _of_rules(rule)),
        *(problem for dashboards in overlay.of_kind("ConfigMap") for problem in _of_dashboards(dashboards)),
    ]


def expression_of(rule: Data, metric: str, resource: str) -> str:
    """What the adapter asks Prometheus for one metric of one object."""
    label = next(name for name, given in rule["resources"]["overrides"].items() if given["resource"] == resource)
    filled = {"Series": metric, "LabelMatchers": f'namespace="drover",{label}="x"', "GroupBy": label}
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
        yield from _of_expression(rules[name]["seriesQuery"], f"{scaler.title}, seriesQuery")
        yield from _of_expression(expression_of(rules[name], name, resource), f"{scaler.title}, metricsQuery")
        if name in DECLARED and EXPORTERS.get(exporter) not in DECLARED[name].services:
            yield f"{scaler.title}: {exporter} does not export {name}, {', '.join(DECLARED[name].services)} does."


def _of_scaled_object(scaled: Manifest) -> Iterator[str]:
    for trigger in scaled.spec["triggers"]:
        query = trigger["metadata"]["query"]
        yield from _of_expression(query, scaled.title)
        if f'namespace="{scaled.namespace}"' not in query:
            yield f"{scaled.title}: its query {query} counts another namespace."


def _of_rules(manifest: Manifest) -> Iterator[str]:
    known = dict(IN_CLUSTER)
    for rule in (rule for group in manifest.spec["groups"] for rule in group["rules"]):
        where = f"{manifest.title}, {rule.get('alert') or rule.get('record')}"
        try:
            labels = labels_of(str(rule["expr"]), known)
        except (UnknownNameError, ValueError) as error:
            yield f"{where}: {error}"
            continue
        if "record" in rule:
            known[rule["record"]] = labels | rule.get("labels", {}).keys()


def _of_dashboards(config: Manifest) -> Iterator[str]:
    if "grafana_dashboard" not in config.labels:
        return
    for file, text in config.data["data"].items():
        for expression in everywhere(json.loads(text), "expr"):
            yield from _of_dashboard_expression(expression, f"dashboard {file}")


def _of_dashboard_expression(expression: Any, where: str) -> Iterator[str]:
    if str(expression).lstrip().startswith("{"):  # LogQL
        return
    yield from _of_expression(str(expression), where)


def _of_expression(expression: str, where: str) -> Iterator[str]:
    try:
        labels_of(expression, IN_CLUSTER)
    except (UnknownNameError, ValueError) as error:
        yield f"{where}: {error}"
