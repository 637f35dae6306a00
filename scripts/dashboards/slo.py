"""The dashboard of the error budgets."""

from scripts.dashboards.model import Dashboard, Panel, Query, Row

SLO = Dashboard(
    "slo",
    "objectives",
    "How much of each error budget is left, and how fast it burns. The objectives stand in rules/slo.yml.",
    span="now-24h",
    rows=[
        Row(
            "Budgets",
            [
                Panel(
                    "Left of three days' budget",
                    "Below zero the objective is missed for these days.",
                    [
                        Query(
                            "1 - drover:slo_errors:ratio_rate3d / on (slo) drover:slo_budget:ratio",
                            "{{slo}}",
                        )
                    ],
                    "stat",
                    "percentunit",
                    24,
                ),
            ],
        ),
        Row(
            "How fast they burn",
            [
                Panel(
                    f"Burn rate, {long} and {short}",
                    f"1 uses the budget up exactly in time. The alert fires when both windows are above {threshold}.",
                    [
                        Query(
                            f"drover:slo_errors:ratio_rate{window} / on (slo) drover:slo_budget:ratio",
                            f"{{{{slo}}}}, {window}",
                        )
                        for window in (long, short)
                    ],
                    width=12,
                    limits=(threshold / 2, threshold),
                )
                for long, short, threshold in (
                    ("1h", "5m", 14.4),
                    ("6h", "30m", 6.0),
                    ("1d", "2h", 3.0),
                    ("3d", "6h", 1.0),
                )
            ],
        ),
        Row(
            "What went wrong",
            [
                Panel(
                    "Requests with a 5xx, by route",
                    "The objective `requests`.",
                    [Query('sum by (route, status) (drover:requests:rate5m{status=~"5.."})', "{{status}} {{route}}")],
                    unit="reqps",
                    is_empty_when_well=True,
                ),
                Panel(
                    "Jobs that did not end well, by model",
                    "The objective `jobs`.",
                    [
                        Query(
                            'sum by (model, state) (drover:jobs:rate5m{state=~"failed|dead|expired"})',
                            "{{state}} {{model}}",
                        )
                    ],
                    is_empty_when_well=True,
                ),
                Panel(
                    "First tokens later than 2.5 s",
                    "The objective `first_token`.",
                    [
                        Query(
                            "1 - sum by (model) (rate("
                            'drover_time_to_first_token_seconds_bucket{le="2.5"}[$__rate_interval]))'
                            " / sum by (model) (rate(drover_time_to_first_token_seconds_count[$__rate_interval]))",
                            "{{model}}",
                        )
                    ],
                    unit="percentunit",
                    max_value=1,
                ),
            ],
        ),
    ],
)
