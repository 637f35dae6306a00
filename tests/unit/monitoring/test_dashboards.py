import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from scripts.dashboards.files import DASHBOARDS, FOLDER, pages
from scripts.dashboards.model import Choice, Number
from tests.metric_names import labels_of
from tests.unit.monitoring.rule_files import ROOT, with_recorded

PANELS = [
    pytest.param(panel, id=f"{dashboard.name}: {panel.title}")
    for dashboard in DASHBOARDS
    for row in dashboard.rows
    for panel in row.panels
]
FILES = [pytest.param(json.loads(text), id=path.name) for path, text in pages().items()]
every_panel = pytest.mark.parametrize("panel", PANELS)
every_file = pytest.mark.parametrize("file", FILES)

KNOWN = {**with_recorded(), "ALERTS": frozenset({"alertname", "alertstate", "severity"})}


def test_the_files_are_what_the_description_says() -> None:
    there = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}

    assert there == pages(), "run `make dashboards`"


@every_panel
def test_a_panel_asks_for_what_there_is_and_names_only_its_labels(panel: Any) -> None:
    for query in panel.queries:
        if panel.kind != "logs":
            labels = labels_of(query.expression, KNOWN)
            assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= labels


@every_panel
def test_a_panel_says_what_to_take_from_it(panel: Any) -> None:
    assert panel.description.endswith((".", "?"))


def test_a_panel_of_logs_selects_by_the_label_that_loki_has() -> None:
    loki = yaml.safe_load((ROOT / "deploy" / "monitoring" / "loki" / "config.yaml").read_text(encoding="utf-8"))
    rules = loki["limits_config"]["otlp_config"]["resource_attributes"]["attributes_config"]
    labels = {name.replace(".", "_") for rule in rules for name in rule["attributes"]}
    queries = [query.expression for param in PANELS for query in _logs(param)]

    named = {name for query in queries for name in re.findall(r"[{,]\s*(\w+)\s*[=!]", query.partition("}")[0])}

    assert queries
    assert named <= labels


def _logs(param: Any) -> list[Any]:
    panel = param.values[0]
    return list(panel.queries) if panel.kind == "logs" else []


def test_variables_offer_the_values_of_labels_that_there_are() -> None:
    for dashboard in DASHBOARDS:
        for variable in dashboard.variables:
            if isinstance(variable, Choice):
                assert variable.label in KNOWN[variable.metric]
            else:
                assert isinstance(variable, Number)
                assert float(variable.value) >= 0


@every_file
def test_every_variable_is_used_and_every_variable_used_is_there(file: dict[str, Any]) -> None:
    there = {variable["name"] for variable in file["templating"]["list"]}
    expressions = [target["expr"] for panel in file["panels"] for target in panel.get("targets", ())]

    used = {name for text in expressions for name in re.findall(r"\$\{?([a-z]\w*)", text)}

    assert used == there


@every_file
def test_every_data_source_is_one_that_is_provisioned(file: dict[str, Any]) -> None:
    provisioned = ROOT / "deploy" / "monitoring" / "grafana" / "provisioning" / "datasources" / "datasources.yaml"
    there = {source["uid"] for source in yaml.safe_load(provisioned.read_text(encoding="utf-8"))["datasources"]}

    named = set(re.findall(r'"uid": "(\w+)"', json.dumps([panel.get("datasource") for panel in file["panels"]])))
    linked = set(re.findall(r"%22datasource%22%3A%20%22(\w+)%22", json.dumps(file)))

    assert named | linked <= there


@every_file
def test_no_two_panels_overlap_and_none_leaves_the_grid(file: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in file["panels"]]

    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not [pair for pair in combinations(places, 2) if _overlap(*pair)]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
