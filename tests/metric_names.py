"""What the services export, and whether a PromQL expression speaks of nothing else: names and labels.

For whatever names a metric outside the code: dashboards, alert rules, autoscalers.
"""

import re
from collections.abc import Mapping

import promql_parser as promql

from shared.telemetry.instruments import DECLARED
from shared.telemetry.metric import ANY

Labels = frozenset[str]
Series = Mapping[str, Labels]
"""Names of series with the labels that each can have."""

TARGET_LABELS: Labels = frozenset({"instance", "job"})
"""Prometheus adds them to whatever it scrapes."""

EXPORTED: Series = {
    name: TARGET_LABELS | metric.labels.keys() | ({"le"} if name.endswith("_bucket") else set())
    for metric in DECLARED.values()
    for name in metric.series
}
"""Every series of Drover's own."""

SCRAPED: Series = {
    **EXPORTED,
    "up": TARGET_LABELS,  # Prometheus' own
    "target_info": TARGET_LABELS | {"service_name"},  # OpenTelemetry's
    "process_resident_memory_bytes": TARGET_LABELS,  # prometheus_client's
    "process_cpu_seconds_total": TARGET_LABELS,
    "process_open_fds": TARGET_LABELS,
}

_KNOWN_VALUES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    name: metric.labels for metric in DECLARED.values() for name in metric.series
}

_ONE_OF_THE_SIDES = ("and", "unless")
_KEEP_LABELS = ("topk", "bottomk", "limitk")


class UnknownNameError(Exception):
    """An expression names a series, a label or a label's value that nobody exports."""


def labels_of(expression: str, known: Series = SCRAPED) -> Labels:
    """The labels that the expression's result can have. Raises UnknownNameError; ValueError if it is no PromQL."""
    return _labels(promql.parse(without_variables(expression)), known)


def without_variables(expression: str) -> str:
    """The expression with something in the place of Grafana's variables that has their type."""
    with_durations = re.sub(r"\$\{?__(rate_interval|interval|range)\b\}?", "5m", expression)
    return re.sub(r"\$\{?[a-z_]+\}?", "1", with_durations)


def _labels(node: promql.Expr, known: Series) -> Labels:
    match node:
        case promql.VectorSelector():
            return _of_selector(node, known)
        case promql.MatrixSelector():
            return _of_selector(node.vector_selector, known)
        case promql.AggregateExpr():
            return _of_aggregation(node, known)
        case promql.BinaryExpr():
            return _of_operation(node, known)
        case promql.Call():
            return _of_call(node, known)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return _labels(node.expr, known)
        case _:  # numbers and strings
            return frozenset()


def _of_selector(node: promql.VectorSelector, known: Series) -> Labels:
    if node.name is None or node.name not in known:
        raise UnknownNameError(f"nobody exports {node.name}")
    _require({matcher.name for matcher in node.matchers.matchers}, known[node.name], node.name)
    for matcher in node.matchers.matchers:
        values = _KNOWN_VALUES.get(node.name, {}).get(matcher.name, ANY)
        if values != ANY and not any(re.fullmatch(matcher.value, value) for value in values):
            raise UnknownNameError(f"{matcher.name} of {node.name} is never {matcher.value}, but {', '.join(values)}")
    return known[node.name]


def _of_aggregation(node: promql.AggregateExpr, known: Series) -> Labels:
    inner = _labels(node.expr, known)
    if node.modifier is None:
        return inner if str(node.op) in _KEEP_LABELS else frozenset()
    named = frozenset(node.modifier.labels)
    _require(named, inner, str(node))
    if str(node.op) in _KEEP_LABELS:
        return inner
    return named if node.modifier.type == promql.AggModifierType.By else inner - named


def _of_operation(node: promql.BinaryExpr, known: Series) -> Labels:
    left, right = _labels(node.lhs, known), _labels(node.rhs, known)
    modifier = node.modifier
    if modifier is not None and modifier.matching is not None:
        _require(modifier.matching.labels, left | right, str(node))
    if str(node.op) == "or":
        return left | right
    if str(node.op) in _ONE_OF_THE_SIDES:
        return left
    return (left or right) | frozenset((modifier and modifier.group_labels) or ())


def _of_call(node: promql.Call, known: Series) -> Labels:
    inner = frozenset[str]().union(*(_labels(argument, known) for argument in node.args))
    if node.func.name == "histogram_quantile":
        _require({"le"}, inner, str(node))
        return inner - {"le"}
    if node.func.name == "label_replace":
        return inner | {str(node.args[1].val)}
    return inner


def _require(wanted: set[str] | Labels | list[str], there: Labels, where: str) -> None:
    if missing := set(wanted) - there:
        raise UnknownNameError(f"{where} has no label {', '.join(sorted(missing))}, only {', '.join(sorted(there))}")
