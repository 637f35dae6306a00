"""The dashboard of what tenants use, and what it would cost."""

from scripts.dashboards.model import Choice, Dashboard, Number, Panel, Query, Row

PROMPT = 'sum by (tenant) (increase(drover_tenant_tokens_total{kind="prompt",tenant=~"$tenant"}[$__range]))'
CACHED = PROMPT.replace('"prompt"', '"cached"')
COMPLETION = PROMPT.replace('"prompt"', '"completion"')
COST = f"(({PROMPT} - {CACHED}) * $prompt_price + {CACHED} * $cached_price + {COMPLETION} * $completion_price) / 1e6"

TENANTS = Dashboard(
    "tenants",
    "tenants and cost",
    "What tenants use, and what it would cost at the prices above. The exact account is in Postgres: usage_records.",
    span="now-24h",
    variables=[
        Choice("tenant", "drover_tenant_tokens_total", "tenant"),
        Number("prompt_price", "price of 1 M prompt tokens", "0.50"),
        Number("cached_price", "of 1 M cached ones", "0.10"),
        Number("completion_price", "of 1 M completion tokens", "1.50"),
    ],
    rows=[
        Row(
            "In the time shown",
            [
                Panel("Cost", "Of all tenants chosen.", [Query(f"sum({COST})")], "stat", "currencyUSD", 6),
                Panel("Prompt tokens", "Cached ones included.", [Query(f"sum({PROMPT})")], "stat", width=6),
                Panel(
                    "Cached",
                    "Of the prompts' tokens.",
                    [Query(f"sum({CACHED}) / sum({PROMPT})")],
                    "stat",
                    "percentunit",
                    6,
                ),
                Panel("Completion tokens", "Generated.", [Query(f"sum({COMPLETION})")], "stat", width=6),
                Panel(
                    "Cost by tenant",
                    "The ten that cost most.",
                    [Query(f"topk(10, {COST})", "{{tenant}}")],
                    "bargauge",
                    "currencyUSD",
                ),
                Panel(
                    "Tokens by tenant",
                    "The ten that use most. `other` are the tenants beyond SESSION_METRIC_TENANTS.",
                    [Query(f"topk(10, {PROMPT} + {COMPLETION})", "{{tenant}}")],
                    "bargauge",
                ),
                Panel(
                    "Tokens by model",
                    "Completion tokens.",
                    [Query('sum by (model) (increase(drover_tokens_total{kind="completion"}[$__range]))', "{{model}}")],
                    "bargauge",
                ),
            ],
        ),
        Row(
            "Over time",
            [
                Panel(
                    "Tokens by tenant",
                    "A second, prompt and completion together.",
                    [
                        Query(
                            "sum by (tenant) (rate(drover_tenant_tokens_total"
                            '{kind=~"prompt|completion",tenant=~"$tenant"}[$__rate_interval]))',
                            "{{tenant}}",
                        )
                    ],
                    width=12,
                    is_stacked=True,
                ),
                Panel(
                    "Refused by limits",
                    "429 a second: keys at their limits.",
                    [Query('sum by (route) (drover:requests:rate5m{status="429"})', "{{route}}")],
                    unit="reqps",
                    width=12,
                    is_empty_when_well=True,
                ),
            ],
        ),
    ],
)
