"""The rule files of Prometheus, and the series that they record."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.metric_names import SCRAPED, Labels, Series, labels_of

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "deploy" / "monitoring" / "prometheus" / "rules").glob("*.yml"))


@dataclass(frozen=True)
class Recording:
    """A recording rule: its series has the labels of the expression's result, and the fixed ones."""

    series: str
    expression: str
    fixed_labels: Labels


@dataclass(frozen=True)
class Alert:
    """An alert rule."""

    name: str
    expression: str
    severity: str
    annotations: dict[str, str]


def _rules() -> list[dict[str, Any]]:
    groups = [group for file in FILES for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


RECORDINGS = [
    Recording(rule["record"], rule["expr"], frozenset(rule.get("labels", {}))) for rule in _rules() if "record" in rule
]
ALERTS = [
    Alert(rule["alert"], rule["expr"], rule["labels"]["severity"], rule["annotations"])
    for rule in _rules()
    if "alert" in rule
]


def with_recorded() -> Series:
    """What is scraped and what is recorded. Raises UnknownNameError for a recording of what nobody exports."""
    known = dict(SCRAPED)
    left = list(RECORDINGS)
    while left:  # a rule may record what another one has recorded, in any order
        names = {recording.series for recording in left}
        ready = [recording for recording in left if not any(name in recording.expression for name in names)]
        assert ready, f"these record each other: {names}"
        for recording in ready:
            labels = labels_of(recording.expression, known) | recording.fixed_labels
            known[recording.series] = known.get(recording.series, frozenset()) | labels
        left = [recording for recording in left if recording not in ready]
    return known
