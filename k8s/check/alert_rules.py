"""The alert rules of deploy/monitoring for the Prometheus operator, which wants them within an object of its own."""

from pathlib import Path

import yaml

from k8s.check.rendering import ROOT

SOURCES = ROOT.parent / "deploy" / "monitoring" / "prometheus" / "rules"
TARGET = ROOT / "components" / "monitoring" / "prometheusrule.yaml"

_HEADER = "# Written from deploy/monitoring/prometheus/rules by `python -m k8s.check --write`; a test compares.\n"


def sources() -> list[Path]:
    """Every rule file, in the order of their names."""
    return sorted([*SOURCES.glob("*.yml"), *SOURCES.glob("*.yaml")])


def prometheus_rule() -> str:
    """The manifest: the groups of all rule files, in the order of their names."""
    groups = [group for path in sources() for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "drover", "labels": {"release": "kube-prometheus-stack"}},
        "spec": {"groups": groups},
    }
    return _HEADER + yaml.safe_dump(manifest, sort_keys=False, width=116, allow_unicode=True)
