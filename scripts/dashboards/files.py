"""Which dashboard is which file."""

from pathlib import Path

from scripts.dashboards.caches import CACHES
from scripts.dashboards.grafana import as_json
from scripts.dashboards.latency import LATENCY
from scripts.dashboards.models import MODELS
from scripts.dashboards.overview import OVERVIEW
from scripts.dashboards.slo import SLO
from scripts.dashboards.tenants import TENANTS

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "monitoring" / "grafana" / "dashboards"

DASHBOARDS = [OVERVIEW, MODELS, LATENCY, TENANTS, CACHES, SLO]


def pages() -> dict[Path, str]:
    """What should stand in which file."""
    return {FOLDER / f"{dashboard.name}.json": as_json(dashboard) for dashboard in DASHBOARDS}
