"""The dashboard of models and workers: what is held, how well it is used."""

from scripts.dashboards.model import Choice, Dashboard, Panel, Query, Row

OF_MODEL = 'model=~"$model"'
OF_INSTANCE = 'instance=~"$instance"'

MODELS = Dashboard(
    "models",
    "models and workers",
    "What the workers hold, and how well they are used.",
    variables=[
        Choice("model", "drover_models_loaded", "model"),
        Choice("instance", "drover_worker_slots", "instance"),
    ],
    rows=[
        Row(
            "Workers",
            [
                Panel(
                    "Workers",
                    "As the ledger sees them, from any gateway.",
                    [Query("max by (state) (drover_workers)", "{{state}}")],
                    is_stacked=True,
                ),
                Panel(
                    "Jobs in hand",
                    "Against the slots that there are.",
                    [
                        Query(f"sum by (instance) (drover_worker_busy_slots{{{OF_INSTANCE}}})", "{{instance}}"),
                        Query(f"sum(drover_worker_slots{{{OF_INSTANCE}}})", "slots"),
                    ],
                ),
                Panel(
                    "Memory for models in use",
                    "Of each worker's budget; what is free decides where the next model is loaded.",
                    [
                        Query(
                            f'drover_model_memory_bytes{{state="used",{OF_INSTANCE}}}'
                            " / on (instance, job) sum by (instance, job) (drover_model_memory_bytes)",
                            "{{instance}}",
                        )
                    ],
                    unit="percentunit",
                    max_value=1,
                ),
                Panel(
                    "Memory of the processes",
                    "Of all services that Prometheus sees.",
                    [Query(f"process_resident_memory_bytes{{{OF_INSTANCE}}}", "{{job}} {{instance}}")],
                    unit="bytes",
                ),
                Panel(
                    "Processors",
                    "Cores in use.",
                    [
                        Query(
                            f"rate(process_cpu_seconds_total{{{OF_INSTANCE}}}[$__rate_interval])",
                            "{{job}} {{instance}}",
                        )
                    ],
                ),
                Panel(
                    "Leases lost, writes refused",
                    "A worker that stands out here hangs, or stands still: see the runbook LeaseLosses.",
                    [
                        Query(f"increase(drover_lease_lost_total{{{OF_INSTANCE}}}[1h])", "lost, {{instance}}"),
                        Query(f"increase(drover_fenced_total{{{OF_INSTANCE}}}[1h])", "refused, {{instance}}"),
                    ],
                ),
            ],
        ),
        Row(
            "Models",
            [
                Panel(
                    "Holders",
                    "How many processes hold each model.",
                    [Query(f"sum by (model) (drover_models_loaded{{{OF_MODEL}}})", "{{model}}")],
                    is_stacked=True,
                ),
                Panel(
                    "Tokens generated",
                    "A second.",
                    [Query(f'drover:tokens:rate5m{{kind="completion",{OF_MODEL}}}', "{{model}}")],
                ),
                Panel(
                    "Sequences in a step",
                    "The mean: many sequences in a step is what makes a worker fast.",
                    [
                        Query(
                            f"sum by (model) (rate(drover_batch_size_sum{{{OF_MODEL}}}[$__rate_interval]))"
                            f" / sum by (model) (rate(drover_batch_size_count{{{OF_MODEL}}}[$__rate_interval]))",
                            "{{model}}",
                        )
                    ],
                ),
                Panel(
                    "Loads",
                    "Since the workers that run started. Rising: the models in demand do not fit side by side.",
                    [Query(f"sum by (model) (drover_model_load_seconds_count{{{OF_MODEL}}})", "{{model}}")],
                ),
                Panel(
                    "Time to load, p95",
                    "Of these loads: what the first request to a model that nobody holds waits for.",
                    [
                        Query(
                            "histogram_quantile(0.95, "
                            f"sum by (le, model) (drover_model_load_seconds_bucket{{{OF_MODEL}}}))",
                            "{{model}}",
                        )
                    ],
                    unit="s",
                ),
                Panel(
                    "Models that could not be loaded",
                    "Workers that failed lately and pause before they try again.",
                    [Query(f"sum by (model) (max_over_time(drover_models_failed{{{OF_MODEL}}}[5m]))", "{{model}}")],
                    is_empty_when_well=True,
                ),
            ],
        ),
        Row(
            "Embeddings",
            [
                Panel(
                    "Texts in flight",
                    "What the embedding service's autoscaler follows.",
                    [Query("sum by (model) (drover_embeddings_in_flight)", "{{model}}")],
                ),
                Panel("Tokens", "A second.", [Query('drover:tokens:rate5m{kind="embedding"}', "{{model}}")]),
                Panel(
                    "Answers",
                    "A second.",
                    [Query('sum by (status) (drover:requests:rate5m{route=~".+/embeddings"})', "{{status}}")],
                    unit="reqps",
                ),
            ],
        ),
    ],
)
