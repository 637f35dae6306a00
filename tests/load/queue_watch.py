"""How many jobs wait in a Drover's queues, as its metrics tell."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

_METRIC = "drover_queue_depth"
_TIMEOUT_S = 2.0


def queue_depth(metrics_url: str) -> float | None:
    """The sum over all queues; None where nobody answers, or one who has no queues."""
    try:
        with urllib.request.urlopen(metrics_url, timeout=_TIMEOUT_S) as answer:
            content = answer.read().decode()
        families = [family for family in text_string_to_metric_families(content) if family.name == _METRIC]
    except (OSError, ValueError):
        return None
    return sum(sample.value for family in families for sample in family.samples) if families else None
