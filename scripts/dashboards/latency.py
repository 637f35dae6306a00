"""The dashboard of how long users wait."""

from scripts.dashboards.model import Choice, Dashboard, Panel, Query, Row

OF_MODEL = 'model=~"$model"'


def _quantiles(metric: str, selector: str = OF_MODEL) -> list[Query]:
    buckets = f"sum by (le) (rate({metric}_bucket{{{selector}}}[$__rate_interval]))"
    return [Query(f"histogram_quantile({part / 100}, {buckets})", f"p{part}") for part in (50, 95, 99)]


def _heat(metric: str) -> list[Query]:
    return [Query(f"sum by (le) (increase({metric}_bucket{{{OF_MODEL}}}[$__rate_interval]))", "{{le}}")]


LATENCY = Dashboard(
    "latency",
    "latency",
    "How long users wait: for the first token, between tokens, for the whole.",
    variables=[Choice("model", "drover_time_to_first_token_seconds_count", "model")],
    rows=[
        Row(
            "First token",
            [
                Panel(
                    "Time to first token",
                    "From the accepted request, queue and model load included.",
                    _quantiles("drover_time_to_first_token_seconds"),
                    unit="s",
                    links_to_traces=True,
                ),
                Panel(
                    "By model, p95",
                    "An alert fires at 5 s.",
                    [Query(f"drover:time_to_first_token_seconds:p95{{{OF_MODEL}}}", "{{model}}")],
                    unit="s",
                    limits=(2.5, 5),
                    links_to_traces=True,
                ),
                Panel(
                    "Distribution",
                    "Two bands are two kinds of request: with and without a queue, a load or a cached prompt.",
                    _heat("drover_time_to_first_token_seconds"),
                    "heatmap",
                    "s",
                ),
            ],
        ),
        Row(
            "Between tokens",
            [
                Panel(
                    "Time between tokens",
                    "As the caller sees it; p99 shows pauses while a job changes its worker.",
                    _quantiles("drover_inter_token_seconds"),
                    unit="s",
                    links_to_traces=True,
                ),
                Panel(
                    "By model, p95",
                    "An alert fires at 0.5 s.",
                    [Query(f"drover:inter_token_seconds:p95{{{OF_MODEL}}}", "{{model}}")],
                    unit="s",
                    limits=(0.25, 0.5),
                ),
                Panel("Distribution", "One gap of eight.", _heat("drover_inter_token_seconds"), "heatmap", "s"),
            ],
        ),
        Row(
            "The whole, and what it waits for",
            [
                Panel(
                    "Job, from accepted to ended",
                    "Grows with the answers' length.",
                    _quantiles("drover_job_duration_seconds"),
                    unit="s",
                    width=12,
                    links_to_traces=True,
                ),
                Panel(
                    "Age of the oldest job that waits",
                    "What of the first token's time is the queue's.",
                    [Query("drover:queue_oldest_age_seconds:max", "{{queue}}")],
                    unit="s",
                    width=12,
                ),
                Panel(
                    "Answers of the gateway, p95",
                    "Until an answer begins: a stream begins as soon as its job is accepted.",
                    [
                        Query(
                            "histogram_quantile(0.95, sum by (le, route) (rate("
                            'drover_request_duration_seconds_bucket{route=~"/v1/.+|/api/.+"}[$__rate_interval])))',
                            "{{route}}",
                        )
                    ],
                    unit="s",
                    width=12,
                ),
                Panel(
                    "Session and embedding service, p95",
                    "A turn begins with POST /internal/turns: its time is in every first token of a session.",
                    [
                        Query(
                            "histogram_quantile(0.95, sum by (le, route) (rate("
                            'drover_request_duration_seconds_bucket{route=~"/internal/.+"}[$__rate_interval])))',
                            "{{route}}",
                        )
                    ],
                    unit="s",
                    width=12,
                ),
            ],
        ),
    ],
)
