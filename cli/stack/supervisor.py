"""Keeps the processes of a stack running: starts them, restarts those that die or hang, stops them in order."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cli.stack.errors import StackError, StopRequestedError
from cli.stack.liveness import Liveness
from cli.stack.process import Child, ProcessSpec
from cli.stack.restarts import Restarts

_POLL_S = 0.05
_STOP_ORDER = ({"worker"}, {"gateway", "embedding_service"}, {"session_service"}, {"redis", "postgres"})


@dataclass
class _Supervised:
    spec: ProcessSpec
    child: Child
    restarts: Restarts = field(default_factory=Restarts)
    start_at: float | None = None
    """When the next start is due (monotonic), while the process is down."""
    has_given_up: bool = False
    liveness: Liveness | None = None

    def __post_init__(self) -> None:
        self._watch()

    def start_again(self) -> None:
        self.child = Child(self.spec)
        self.start_at = None
        self._watch()

    @property
    def served_s(self) -> float:
        """How long it has been of use: since its first sign of life, where there is a way to ask for one."""
        return self.child.age_s if self.liveness is None else self.liveness.lived_s

    @property
    def has_served(self) -> bool:
        """Whether this life of it has given a sign that it is of use."""
        return self.liveness is not None and self.liveness.has_answered

    def hangs(self, after_s: float) -> bool:
        """Whether it has been silent, or said that it is not well, for too long; a start has the start's time."""
        if self.liveness is None or (not self.liveness.has_answered and self.child.age_s < self.spec.start_timeout_s):
            return False
        return self.liveness.bad_s > after_s

    def stop_watching(self) -> None:
        if self.liveness is not None:
            self.liveness.stop()

    def _watch(self) -> None:
        self.stop_watching()
        self.liveness = Liveness(self.spec.is_alive) if self.spec.is_alive else None


class Supervisor:
    """`say` gets one line for the terminal; `on_change` is called after every change of a pid. A process whose
    `is_alive` has said no for `hung_after_s` is killed and started again like one that died.

    Use it from the main thread only (see `process.spawn`); `stopping` may be set from a signal handler.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        on_change: Callable[[], None],
        stopping: threading.Event,
        hung_after_s: float = 30.0,
    ):
        self._say = say
        self._on_change = on_change
        self._stopping = stopping
        self._hung_after_s = hung_after_s
        self._supervised: list[_Supervised] = []

    @property
    def children(self) -> list[Child]:
        """The processes that run, or ran last, in the order of their start."""
        return [one.child for one in self._supervised]

    @property
    def roles_lost(self) -> list[str]:
        """Roles of which every process was given up."""
        roles = {one.spec.role for one in self._supervised}
        return sorted(role for role in roles if all(o.has_given_up for o in self._supervised if o.spec.role == role))

    def start(self, specs: Sequence[ProcessSpec]) -> None:
        """Start them together and wait until each is ready. Raises StackError, StopRequestedError."""
        if self._stopping.is_set():
            raise StopRequestedError
        for spec in specs:
            self._supervised.append(_Supervised(spec, Child(spec)))
        self._on_change()
        waiting = [one for one in self._supervised if one.spec in specs]
        while waiting:
            for one in list(waiting):
                if self._became_ready(one):
                    waiting.remove(one)
            self._look_after([one for one in self._supervised if one not in waiting])
            if self._stopping.wait(_POLL_S):
                raise StopRequestedError

    def watch(self) -> None:
        """Look after all processes until `stopping` is set. Raises StackError when a role is lost for good."""
        while not self._stopping.wait(_POLL_S):
            self._look_after(self._supervised)
            if lost := self.roles_lost:
                raise StackError(f"No {' and no '.join(lost)} can be kept running: look at the logs named above.")

    def stop(self, is_hurried: Callable[[], bool] = lambda: False) -> None:
        """Stop every process, workers first; those that outstay their time, or all once `is_hurried()`, are killed."""
        for roles in _STOP_ORDER:
            group = [one.child for one in self._supervised if one.spec.role in roles]
            for child in group:
                child.ask_to_stop()
            end = time.monotonic() + max((child.spec.stop_timeout_s for child in group), default=0)
            while any(child.exit_code() is None for child in group):
                if time.monotonic() > end or is_hurried():
                    break
                time.sleep(_POLL_S)
            for child in group:
                if child.exit_code() is None:
                    self._say(f"{child.spec.name} did not stop in time and was killed")
                child.kill()
        for one in self._supervised:
            one.stop_watching()
        self._supervised.clear()

    def _became_ready(self, one: _Supervised) -> bool:
        spec, child = one.spec, one.child
        if (code := child.exit_code()) is not None:
            raise StackError(
                f"{spec.name} ended at once ({_how(code)}). Its log {spec.log} ends:\n{child.last_words()}"
            )
        if spec.is_ready():
            where = f" on {spec.address}" if spec.address else ""
            self._say(f"{spec.name} is ready{where} ({child.age_s:.1f} s)")
            return True
        if child.age_s > spec.start_timeout_s:
            raise StackError(
                f"{spec.name} was not ready within {spec.start_timeout_s:.0f} s. Its log {spec.log} ends:\n"
                f"{child.last_words()}"
            )
        return False

    def _look_after(self, supervised: Sequence[_Supervised]) -> None:
        for one in supervised:
            if one.has_given_up:
                continue
            if one.start_at is not None:
                self._start_if_due(one)
            elif (code := one.child.exit_code()) is not None:
                self._plan_restart(one, code)
            elif one.hangs(self._hung_after_s):
                self._say(f"{one.spec.name} has not been well for {self._hung_after_s:g} s (/livez): it is killed")
                one.child.kill()

    def _plan_restart(self, one: _Supervised, code: int) -> None:
        delay_s = one.restarts.next_delay_s(one.served_s, has_served=one.has_served)
        if delay_s is None:
            one.has_given_up = True
            self._say(
                f"{one.spec.name} died {one.restarts.deaths} times in a row ({_how(code)}) and is given up: "
                f"see {one.spec.log}"
            )
            return
        self._say(f"{one.spec.name} died ({_how(code)}), starting it again" + (f" in {delay_s} s" if delay_s else ""))
        one.start_at = time.monotonic() + delay_s
        self._start_if_due(one)

    def _start_if_due(self, one: _Supervised) -> None:
        if one.start_at is None or time.monotonic() < one.start_at:
            return
        one.start_again()
        self._on_change()


def _how(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal {-code}"
