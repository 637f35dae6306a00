from pathlib import Path

import pytest
import yaml

from k8s.check.manifest import Manifest, Overlay
from k8s.check.rendering import ROOT, overlay
from k8s.check.validation import check_schemas, problems_of

EXAMPLES = [
    (path.name, document)
    for path in sorted((ROOT / "examples").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]


def test_an_overlay_is_valid_for_the_oldest_and_the_newest_kubernetes(each_overlay: Overlay) -> None:
    assert check_schemas(each_overlay) == []


@pytest.mark.parametrize(("file", "document"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_an_example_is_valid(file: str, document: dict[str, object]) -> None:
    assert problems_of(Manifest(document)) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("production", "Deployment"),
        ("production", "HorizontalPodAutoscaler"),
        ("production", "NetworkPolicy"),
        ("production", "PrometheusRule"),
        ("production", "ServiceMonitor"),
        ("staging", "ScaledObject"),
        ("staging", "StatefulSet"),
    ],
)
def test_an_unknown_field_is_refused(name: str, kind: str) -> None:
    manifest = overlay(name).of_kind(kind)[0]

    mistyped = Manifest({**manifest.data, "spec": {**manifest.spec, "mistyped": 1}})

    assert any("mistyped" in problem for problem in problems_of(mistyped))


def test_a_wrong_type_is_refused(staging: Overlay) -> None:
    scaled = staging.of_kind("ScaledObject")[0]

    wrong = Manifest({**scaled.data, "spec": {**scaled.spec, "minReplicaCount": "two"}})

    assert any("minReplicaCount" in problem for problem in problems_of(wrong))


def test_a_prometheus_trigger_needs_its_query(staging: Overlay) -> None:
    scaled = staging.of_kind("ScaledObject")[0]
    trigger = scaled.spec["triggers"][0]
    mute = {**trigger, "metadata": {key: value for key, value in trigger["metadata"].items() if key != "query"}}

    wrong = Manifest({**scaled.data, "spec": {**scaled.spec, "triggers": [mute]}})

    assert any("'query' is a required property" in problem for problem in problems_of(wrong))


def test_a_kind_without_a_schema_is_refused() -> None:
    with pytest.raises(FileNotFoundError):
        problems_of(Manifest({"apiVersion": "example.com/v1", "kind": "Unheard", "metadata": {"name": "x"}}))


def test_the_examples_make_what_production_expects(production: Overlay) -> None:
    made = {
        document["metadata"]["name"]: [entry["secretKey"] for entry in document["spec"]["data"]]
        for file, document in EXAMPLES
        if file == "external-secrets.yaml"
    }

    assert {**made, "drover-tls": ["tls.crt", "tls.key"]} == production.expected_secrets


def test_the_schemas_folder_has_nothing_that_is_not_used() -> None:
    used = {"externalsecret", "prometheusrule", "scaledobject", "servicemonitor", "triggerauthentication"}

    assert {path.stem.rpartition("-")[2] for path in Path(ROOT / "check" / "schemas").glob("*.json")} == used
