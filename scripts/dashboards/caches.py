"""The dashboard of what did not have to be done again."""

from scripts.dashboards.model import Choice, Dashboard, Panel, Query, Row

OF_MODEL = 'model=~"$model"'
PROMPTS = "drover_prefix_cache_tokens_total"

CACHES = Dashboard(
    "caches",
    "caches",
    "What did not have to be done again: prompts in the KV cache, models in memory.",
    variables=[Choice("model", "drover_models_loaded", "model")],
    rows=[
        Row(
            "Prompts in the KV cache",
            [
                Panel(
                    "Hits",
                    "The part of the prompts' tokens that a slot still had, from the same tenant.",
                    [
                        Query(
                            f'sum by (model) (rate({PROMPTS}{{result="hit",{OF_MODEL}}}[$__rate_interval]))'
                            f" / sum by (model) (rate({PROMPTS}{{{OF_MODEL}}}[$__rate_interval]))",
                            "{{model}}",
                        )
                    ],
                    unit="percentunit",
                    max_value=1,
                ),
                Panel(
                    "Prompt tokens",
                    "A second: found, and decoded.",
                    [
                        Query(
                            f"sum by (result) (rate({PROMPTS}{{{OF_MODEL}}}[$__rate_interval]))",
                            "{{result}}",
                        )
                    ],
                    is_stacked=True,
                ),
                Panel(
                    "KV cache in use",
                    "By sequences that run; the rest keeps finished ones for the next prompt.",
                    [Query(f"max by (model) (drover_kv_cache_usage_ratio{{{OF_MODEL}}})", "{{model}}")],
                    unit="percentunit",
                    max_value=1,
                ),
            ],
        ),
        Row(
            "Models in memory",
            [
                Panel(
                    "Evictions",
                    "In an hour. Steady ones: the budget of bytes is too small for what is asked for.",
                    [Query(f"sum by (model) (increase(drover_model_evictions_total{{{OF_MODEL}}}[1h]))", "{{model}}")],
                    is_empty_when_well=True,
                ),
                Panel(
                    "Tokens for each load",
                    "How much a load was worth: generated tokens, since the workers that run started.",
                    [
                        Query(
                            f'sum by (model) (drover_tokens_total{{kind="completion",{OF_MODEL}}})'
                            f" / sum by (model) (drover_model_load_seconds_count{{{OF_MODEL}}})",
                            "{{model}}",
                        )
                    ],
                ),
                Panel(
                    "Free memory for models",
                    "Of all workers.",
                    [Query('sum by (instance) (drover_model_memory_bytes{state="free"})', "{{instance}}")],
                    unit="bytes",
                ),
            ],
        ),
        Row(
            "Redis",
            [
                Panel(
                    "Memory",
                    "Jobs, token logs and limits; an alert fires at 80 %.",
                    [Query("max(drover_redis_memory_ratio)", "in use")],
                    unit="percentunit",
                    limits=(0.6, 0.8),
                    max_value=1,
                ),
                Panel(
                    "Bytes",
                    "The same, as Redis counts them.",
                    [Query("max(drover_redis_memory_bytes)", "in use")],
                    unit="bytes",
                ),
            ],
        ),
    ],
)
