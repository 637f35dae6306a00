"""What a worker says about itself in `worker:<id>`."""

from pydantic import BaseModel


class WorkerBody(BaseModel):
    """Liveness and load of one worker; the key expires when the worker stops saying it."""

    id: str
    engine: str
    held_models: list[str]
    loading: dict[str, float] = {}
    """Models that are being loaded, with the fraction that is done (0 … 1)."""
    slots: int
    busy_slots: int
    free_bytes: int
    budget_bytes: int = 0
    running: dict[str, int] = {}
    """Jobs in hand by model."""
    is_draining: bool = False
