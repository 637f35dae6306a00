"""What a worker says about itself in `worker:<id>`."""

from pydantic import BaseModel


class WorkerBody(BaseModel):
    """Liveness and load of one worker; the key expires when the worker stops saying it."""

    id: str
    engine: str
    held_models: list[str]
    slots: int
    busy_slots: int
    free_bytes: int
    is_draining: bool = False
