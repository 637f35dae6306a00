"""A model's place in the model cache, and what the cache tells others about it."""

import threading
from dataclasses import dataclass, field

from shared.catalogue import ModelEntry
from shared.errors import DroverError
from worker.loaded_model import LoadedModel


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A loaded model as it stands. `kept_s`: since it was loaded, `idle_s`: since its last use, 0 while in use."""

    name: str
    needed_bytes: int
    users: int
    kept_s: float
    idle_s: float
    load_s: float
    is_pinned: bool
    is_retiring: bool
    entry: ModelEntry


@dataclass(slots=True)
class Shelf:
    """`model` is None while it is being loaded, `needed_bytes` 0 until room is made for it.

    Times are seconds of time.monotonic(), `progress` is the part that is loaded, 0 to 1.
    """

    entry: ModelEntry
    needed_bytes: int = 0
    model: LoadedModel | None = None
    error: DroverError | None = None
    users: int = 0
    waiters: int = 0
    progress: float = 0.0
    load_s: float = 0.0
    loaded_at: float = 0.0
    used_at: float = 0.0
    is_retiring: bool = False
    """Lent no longer than it must be: the first to go when it is idle."""
    loaded: threading.Event = field(default_factory=threading.Event)

    @property
    def is_idle(self) -> bool:
        return self.model is not None and self.users == 0

    def described(self, now: float, *, is_pinned: bool) -> HeldModel:
        return HeldModel(
            name=self.entry.name,
            needed_bytes=self.needed_bytes,
            users=self.users,
            kept_s=now - self.loaded_at,
            idle_s=0.0 if self.users else now - self.used_at,
            load_s=self.load_s,
            is_pinned=is_pinned,
            is_retiring=self.is_retiring,
            entry=self.entry,
        )
