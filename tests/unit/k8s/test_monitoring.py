import json

import yaml

from k8s.check.alert_rules import TARGET, prometheus_rule, sources
from k8s.check.manifest import Overlay
from k8s.check.rendering import ROOT

DASHBOARDS = ROOT.parent / "deploy" / "monitoring" / "grafana" / "dashboards"
ANNOTATION_LIMIT_BYTES = 250_000
"""`kubectl apply` keeps a whole object in an annotation, and an object's annotations have 256 KiB at most."""


def test_the_clusters_alert_rules_are_those_of_the_compose_file() -> None:
    assert TARGET.read_text(encoding="utf-8") == prometheus_rule(), "run `.venv/bin/python -m k8s.check --write`"


def test_every_rule_file_is_taken_in() -> None:
    names = [group["name"] for path in sources() for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]

    assert [group["name"] for group in yaml.safe_load(prometheus_rule())["spec"]["groups"]] == names


def test_every_dashboard_is_there(production: Overlay) -> None:
    rendered = {
        file: text
        for config in production.of_kind("ConfigMap")
        if config.labels.get("grafana_dashboard") == "1"
        for file, text in config.data["data"].items()
    }

    assert rendered == {path.name: path.read_text(encoding="utf-8") for path in DASHBOARDS.glob("*.json")}


def test_every_object_can_be_applied(each_overlay: Overlay) -> None:
    sizes = {manifest.title: len(json.dumps(manifest.data).encode()) for manifest in each_overlay.manifests}

    assert {title: size for title, size in sizes.items() if size > ANNOTATION_LIMIT_BYTES} == {}
