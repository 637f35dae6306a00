"""What the session service counts of jobs that became final: how they ended, how long they took, what they used."""

from shared.ledger import OutboxEntry
from shared.telemetry import instruments

OTHER = "other"
STATES = instruments.DECLARED["drover_jobs_total"].labels["state"]


class JobMeter:
    """Gives the first `max_tenants` tenants that it sees time series of their own; the rest share one.

    A tenant's counter never moves to another name, so that rates over it are right.
    """

    def __init__(self, max_tenants: int):
        self._max_tenants = max_tenants
        self._tenants: set[str] = set()
        self._models: set[str] = set()

    def count(self, entry: OutboxEntry) -> None:
        """Count a job, once, when it is stored."""
        if entry.model not in self._models:
            self._models.add(entry.model)
            for state in STATES:
                instruments.JOBS.add(0, {"model": entry.model, "state": state})
        instruments.JOBS.add(1, {"model": entry.model, "state": entry.state})
        instruments.JOB_DURATION.record(max(0, entry.finished_ms - entry.accepted_ms) / 1000, {"model": entry.model})
        tenant, usage = self._label_of(entry.tenant_id), entry.usage
        instruments.TENANT_TOKENS.add(usage.prompt_tokens, {"tenant": tenant, "kind": "prompt"})
        instruments.TENANT_TOKENS.add(usage.completion_tokens, {"tenant": tenant, "kind": "completion"})
        instruments.TENANT_TOKENS.add(usage.cached_tokens, {"tenant": tenant, "kind": "cached"})

    def _label_of(self, tenant_id: str) -> str:
        if len(self._tenants) < self._max_tenants:
            self._tenants.add(tenant_id)
        return tenant_id if tenant_id in self._tenants else OTHER
