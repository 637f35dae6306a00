"""A dashboard in the form that Grafana reads."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from scripts.dashboards.model import Choice, Dashboard, Kind, Number, Panel, Query, Row

Json = dict[str, Any]

WIDTH = 24  # of Grafana's grid
HEIGHT = 8
STAT_HEIGHT = 4
PROMETHEUS: Json = {"type": "prometheus", "uid": "prometheus"}
LOKI: Json = {"type": "loki", "uid": "loki"}


def as_json(dashboard: Dashboard) -> str:
    """The file that Grafana's provisioning reads."""
    return json.dumps(_dashboard(dashboard), indent=1, ensure_ascii=False) + "\n"


def _dashboard(dashboard: Dashboard) -> Json:
    return {
        "uid": f"drover-{dashboard.name}",
        "title": f"Drover: {dashboard.title}",
        "description": dashboard.description,
        "tags": ["drover"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,  # one cross-hair for all panels
        "refresh": "30s",
        "time": {"from": dashboard.span, "to": "now"},
        "links": [
            {
                "type": "dashboards",
                "title": "Drover",
                "tags": ["drover"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "dashboard",
                "tooltip": "Drover's other dashboards",
            }
        ],
        "templating": {"list": [_variable(variable) for variable in dashboard.variables]},
        "panels": _panels(dashboard.rows),
    }


def _variable(variable: Choice | Number) -> Json:
    if isinstance(variable, Number):
        return {"type": "textbox", "name": variable.name, "label": variable.label, "query": variable.value}
    return {
        "type": "query",
        "name": variable.name,
        "label": variable.name,
        "datasource": PROMETHEUS,
        "query": {"query": f"label_values({variable.metric}, {variable.label})", "refId": variable.name},
        "refresh": 2,  # when the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panels(rows: Sequence[Row]) -> list[Json]:
    """Every panel in its place: from left to right, then the next line."""
    placed: list[Json] = []
    top = 0
    for row in rows:
        placed.append(
            {
                "type": "row",
                "collapsed": False,
                "title": row.title,
                "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1},
                "panels": [],
            }
        )
        top, left, line_height = top + 1, 0, 0
        for panel in row.panels:
            height = STAT_HEIGHT if panel.kind == "stat" else HEIGHT
            if left + panel.width > WIDTH:
                top, left, line_height = top + line_height, 0, 0
            placed.append(_panel(panel, {"x": left, "y": top, "w": panel.width, "h": height}))
            left, line_height = left + panel.width, max(line_height, height)
        top += line_height
    return [{"id": number, **panel} for number, panel in enumerate(placed, start=1)]


def _panel(panel: Panel, position: Json) -> Json:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _source(panel),
        "gridPos": position,
        "targets": [_target(query, chr(ord("A") + place), panel) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel.kind),
    }


def _source(panel: Panel) -> Json:
    return LOKI if panel.kind == "logs" else PROMETHEUS


def _target(query: Query, ref: str, panel: Panel) -> Json:
    kind = panel.kind
    target: Json = {"refId": ref, "datasource": _source(panel), "expr": query.expression}
    if query.legend:
        target["legendFormat"] = query.legend
    if kind in ("table", "bargauge"):
        target.update(instant=True, range=False, format="table" if kind == "table" else "time_series")
    if kind == "heatmap":
        target["format"] = "heatmap"
    return target


def _defaults(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "noValue": "none" if panel.is_empty_when_well else "–"}
    if panel.max_value is not None:
        defaults.update(min=0, max=panel.max_value)
    if panel.limits is not None:
        yellow, red = panel.limits
        steps = [
            {"color": "green", "value": None},
            {"color": "yellow", "value": yellow},
            {"color": "red", "value": red},
        ]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "fillOpacity": 25 if panel.is_stacked else 0,
            "stacking": {"mode": "normal" if panel.is_stacked else "none"},
            "thresholdsStyle": {"mode": "line" if panel.limits else "off"},
            "showPoints": "never",
        }
    if panel.links_to_traces:
        defaults["links"] = [{"title": "Slow traces of this time", "url": _slow_traces(), "targetBlank": True}]
    return defaults


def _options(kind: Kind) -> Json:
    if kind == "timeseries":
        return {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    if kind == "stat":
        return {"colorMode": "background", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"]}}
    return {}


def _slow_traces() -> str:
    """Explore with Jaeger's search for the requests of the time shown that took a second or longer."""
    query = {"refId": "A", "queryType": "search", "service": "drover-gateway", "minDuration": "1s", "limit": 20}
    times = {"from": "${__from}", "to": "${__to}"}
    panes = {"traces": {"datasource": "jaeger", "queries": [query], "range": times}}
    return f"/explore?schemaVersion=1&panes={quote(json.dumps(panes), safe='${}')}"
