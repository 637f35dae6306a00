"""The overview: is it well, and if not, where to look."""

from scripts.dashboards.model import Choice, Dashboard, Panel, Query, Row

OVERVIEW = Dashboard(
    "overview",
    "overview",
    "Is it well, and if not, where to look.",
    variables=[Choice("queue", "drover_queue_depth", "queue")],
    rows=[
        Row(
            "Is it well?",
            [
                Panel(
                    "Requests", "Users' requests a second.", [Query("sum(drover:requests:rate5m)")], "stat", "reqps", 3
                ),
                Panel(
                    "Errors",
                    "The part of users' requests that was answered with a 5xx.",
                    [Query("drover:request_errors:ratio_rate5m")],
                    "stat",
                    "percentunit",
                    3,
                    limits=(0.01, 0.05),
                ),
                Panel(
                    "First token, p95",
                    "Of the slowest model.",
                    [Query("max(drover:time_to_first_token_seconds:p95)")],
                    "stat",
                    "s",
                    3,
                    limits=(2.5, 5),
                    links_to_traces=True,
                ),
                Panel("Streams", "Open now.", [Query("sum(drover_streams_active)")], "stat", width=3),
                Panel(
                    "Jobs that wait",
                    "In all queues.",
                    [Query("sum(drover:queue_depth:max)")],
                    "stat",
                    width=3,
                    limits=(50, 500),
                ),
                Panel(
                    "Oldest of them",
                    "How long it has waited.",
                    [Query("max(drover:queue_oldest_age_seconds:max)")],
                    "stat",
                    "s",
                    3,
                    limits=(5, 30),
                ),
                Panel(
                    "Workers",
                    "That take jobs.",
                    [Query('max(drover_workers{state="ready"})')],
                    "stat",
                    width=3,
                ),
                Panel(
                    "Redis",
                    "The part of its memory in use; at 100 % nothing is accepted.",
                    [Query("max(drover_redis_memory_ratio)")],
                    "stat",
                    "percentunit",
                    3,
                    limits=(0.6, 0.8),
                ),
            ],
        ),
        Row(
            "Traffic",
            [
                Panel(
                    "Requests by status",
                    "429 and 503 are refusals: limits of keys, and full queues.",
                    [Query("sum by (status) (drover:requests:rate5m)", "{{status}}")],
                    unit="reqps",
                    is_stacked=True,
                ),
                Panel(
                    "Jobs by how they ended",
                    "Anything but done and cancelled is a failure that a user saw.",
                    [Query("sum by (state) (drover:jobs:rate5m)", "{{state}}")],
                    is_stacked=True,
                ),
                Panel(
                    "Tokens",
                    "A second; cached ones are a part of the prompts'.",
                    [Query("sum by (kind) (drover:tokens:rate5m)", "{{kind}}")],
                ),
            ],
        ),
        Row(
            "Queues",
            [
                Panel(
                    "Depth",
                    "What the workers' autoscaler follows.",
                    [Query('drover:queue_depth:max{queue=~"$queue"}', "{{queue}}")],
                ),
                Panel(
                    "Age of the oldest job",
                    "An alert fires at 30 s.",
                    [Query('drover:queue_oldest_age_seconds:max{queue=~"$queue"}', "{{queue}}")],
                    unit="s",
                    limits=(5, 30),
                ),
                Panel(
                    "Slots in use",
                    "Near 100 % with jobs waiting: more workers are needed.",
                    [Query("drover:worker_slots:busy_ratio", "all workers")],
                    unit="percentunit",
                    max_value=1,
                ),
            ],
        ),
        Row(
            "Repairs",
            [
                Panel(
                    "What was repaired",
                    "A second. None of it reached a user as more than a pause.",
                    [
                        Query("sum(rate(drover_hint_repaired_total[$__rate_interval]))", "hints sent again"),
                        Query("sum(rate(drover_gap_repaired_total[$__rate_interval]))", "gaps in streams filled"),
                        Query("sum(rate(drover_lease_lost_total[$__rate_interval]))", "leases lost"),
                        Query("sum(rate(drover_fenced_total[$__rate_interval]))", "late writes refused"),
                    ],
                ),
                Panel(
                    "Jobs that lost their worker",
                    "In an hour: requeued ones went on elsewhere, dead ones were given up.",
                    [Query("sum by (outcome) (increase(drover_jobs_reaped_total[1h]))", "{{outcome}}")],
                ),
                Panel(
                    "Answers not stored yet",
                    "Age of the oldest; it grows while Postgres or the session service is away.",
                    [Query("max(drover_outbox_oldest_age_seconds)", "oldest")],
                    unit="s",
                    limits=(10, 60),
                ),
                Panel(
                    "Alerts",
                    "That fire now; docs/operations.md has a runbook for each.",
                    [Query('sum by (alertname, severity) (ALERTS{alertstate="firing"})')],
                    "table",
                    width=8,
                    is_empty_when_well=True,
                ),
                Panel(
                    "Errors in the logs",
                    "Of all services. A line never holds a prompt, a completion or a key.",
                    [Query('{service_name=~"gateway|worker|.+-service"} | level=~"error|critical"')],
                    "logs",
                    width=16,
                    is_empty_when_well=True,
                ),
            ],
        ),
    ],
)
