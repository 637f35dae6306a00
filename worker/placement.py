"""The placement: brings models that are waited for into this worker, and its subscription after what it holds."""

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import structlog

from shared.bodies.workers import WorkerBody
from shared.catalogue import Catalogue, ModelEntry
from shared.errors import DroverError
from shared.ledger.demand import Demand, Look, Turn, Waiting
from worker.model_cache import ModelCache
from worker.periodic import Periodic
from worker.placement_plan import Held, Place, Plan, Planner, Wanted, is_hopeless

log = structlog.get_logger(__name__)

EVERY_S = 0.1
"""What a model that nobody holds waits for at most before its load begins; a look costs one read of Redis."""
TURN_S = 3.0
"""How long a worker that has died while loading keeps others from loading the same model."""
PATIENCE_S = 5.0
"""So long may the jobs of a leaving model go on; then they wait for its next place, with their tokens kept. Otherwise
one long answer would keep two models' queues waiting: its own, of which no hints are taken, and the other's."""
HANDOVER_S = 1.0


@dataclass(slots=True)
class _Pending:
    """A plan that is being carried out: first the leaving models become idle, then the load runs in its thread."""

    plan: Plan
    turn: Turn
    since: float = field(default_factory=time.monotonic)
    is_loading: bool = False
    is_over: bool = field(default=False)


class Placement:
    """Looks every 100 ms. Models are loaded in threads of their own; `follow` hears which models' hints to take."""

    def __init__(
        self,
        demand: Demand,
        catalogue: Catalogue,
        cache: ModelCache,
        *,
        worker_id: str,
        slots: int,
        busy_slots: Callable[[], int],
        follow: Callable[[Iterable[str]], None],
        announce: Callable[[], None],
        hand_over: Callable[[float, Collection[str]], object],
    ):
        self._demand = demand
        self._catalogue = catalogue
        self._cache = cache
        self._worker_id = worker_id
        self._slots = slots
        self._busy_slots = busy_slots
        self._follow = follow
        self._announce = announce
        self._hand_over = hand_over
        self._planner = Planner(worker_id)
        self._pending: list[_Pending] = []
        self._hopeless: frozenset[str] = frozenset()
        self._refused: dict[str, float] = {}
        self._known: set[str] = set()
        self._is_ended = False
        self._lock = threading.Lock()
        self._thread = Periodic("placement", EVERY_S, self.look)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no more loads, and leave those that wait for room to other workers; one that runs goes on."""
        self._is_ended = True
        self._thread.stop()
        try:
            self._advance(set())
        except Exception as error:  # the turns end by themselves
            log.warning("placement_not_withdrawn", error=repr(error))

    def pending(self) -> dict[str, float]:
        """Models that wait for room here or are being loaded, with the fraction that is done (0 … 1)."""
        with self._lock:
            waiting = {pending.plan.model: 0.0 for pending in self._pending if not pending.is_over}
        return waiting | self._cache.loading()

    def look(self) -> None:
        """One round. Raises redis.exceptions.RedisError, after which the next round sees the same facts."""
        self._drop_outdated()
        self._subscribe()
        self._tell_refusals()
        self._known.update(entry.name for entry in self._catalogue.of_kind("chat"))
        look = self._demand.look(sorted(self._known))
        self._advance({waiting.model for waiting in look.waiting})
        self._heed(look)

    # --- what is held

    def _drop_outdated(self) -> None:
        """Models that the catalogue has no more leave when they are idle; of a changed file the new one comes in."""
        entries = {entry.name: entry for entry in self._catalogue.of_kind("chat")}
        held = self._cache.held()
        outdated = [one.name for one in held if entries.get(one.name) != one.entry]
        planned = {name for pending in self._pending for name in pending.plan.leaving}
        # One that was outdated may be in the catalogue again before it was idle: nobody would serve it then.
        self._cache.keep(one.name for one in held if one.is_retiring and one.name not in {*outdated, *planned})
        if not outdated:
            return
        self._cache.retire(outdated)
        self._subscribe()
        for model in self._cache.evict(outdated):
            if model in entries:
                threading.Thread(target=self._bring, args=(model,), name=f"load-{model}", daemon=True).start()

    def _subscribe(self) -> None:
        """To what is held; a model that makes no progress would only give its jobs back."""
        now = time.monotonic()
        stalled = {loaded.entry.name for loaded in self._cache.loaded() if loaded.is_stalled(now)}
        self._follow({*self._cache.held_models(), *self._hopeless} - stalled)

    def _tell_refusals(self) -> None:
        pauses = self._cache.pauses()
        for model in self._refused.keys() - pauses.keys():
            self._demand.accept(model, self._worker_id)
            del self._refused[model]
        now = time.monotonic()
        for model, pause_s in pauses.items():
            if now + pause_s > self._refused.get(model, 0.0) + 0.5:
                self._demand.refuse(model, self._worker_id, for_s=pause_s)
                self._refused[model] = now + pause_s

    # --- what is wanted

    def _heed(self, look: Look) -> None:
        places = [self._own_place(), *(self._place(body) for body in look.workers if body.id != self._worker_id)]
        wanted = self._wanted(look.waiting)
        removed = {one.model for one in look.waiting} - {entry.name for entry in self._catalogue.of_kind("chat")}
        # Their jobs are claimed so that they fail at once, with the error that the cache has for them.
        self._hopeless = frozenset({one.model for one in wanted if is_hopeless(one, places)} | removed)
        self._subscribe()
        if any(not pending.is_loading for pending in self._pending):
            return  # one at a time: the room that a plan waits for is not another's
        plan = self._planner.decide(time.monotonic(), [one for one in wanted if one.model not in removed], places)
        if plan is not None:
            self._begin(plan)

    def _wanted(self, waiting: Iterable[Waiting]) -> list[Wanted]:
        entries = {entry.name: entry for entry in self._catalogue.of_kind("chat")}
        wanted = []
        for one in waiting:
            if one.model not in entries:
                continue
            needed_bytes = self._cache.needed_bytes(entries[one.model])
            refused_by = one.refused_by | ({self._worker_id} if one.model in self._cache.pauses() else set())
            wanted.append(Wanted(one.model, one.depth, one.oldest_age_s, needed_bytes or 0, refused_by))
        return wanted

    def _own_place(self) -> Place:
        held = self._cache.held()
        return Place(
            worker=self._worker_id,
            held={
                one.name: Held(one.needed_bytes, one.users, one.kept_s, one.idle_s, one.load_s, one.is_pinned)
                for one in held
                if not one.is_retiring
            },
            slots=self._slots,
            busy_slots=self._busy_slots(),
            free_bytes=self._cache.free_bytes(),
            budget_bytes=self._cache.budget_bytes,
            loading=frozenset(self.pending()),
            leaving=frozenset(one.name for one in held if one.is_retiring),
        )

    def _place(self, body: WorkerBody) -> Place:
        """Another worker, as far as it says; its models take as many bytes there as they would here."""
        sizes = {entry.name: self._cache.needed_bytes(entry) or 0 for entry in self._entries(body.held_models)}
        return Place(
            worker=body.id,
            held={model: Held(sizes.get(model, 0), body.running.get(model, 0)) for model in body.held_models},
            slots=body.slots,
            busy_slots=body.busy_slots,
            free_bytes=body.free_bytes,
            budget_bytes=body.budget_bytes or body.free_bytes,
            loading=frozenset(body.loading),
            is_draining=body.is_draining,
        )

    def _entries(self, names: Collection[str]) -> list[ModelEntry]:
        return [entry for entry in self._catalogue.of_kind("chat") if entry.name in names]

    # --- carrying a plan out

    def _begin(self, plan: Plan) -> None:
        turn = self._demand.take_turn(plan.model, for_s=TURN_S)
        if turn is None:
            return
        log.info("model_placed", model=plan.model, leaving=plan.leaving)
        self._cache.retire(plan.leaving)
        self._subscribe()
        with self._lock:
            self._pending.append(_Pending(plan, turn))
        self._announce()
        self._advance({plan.model})

    def _advance(self, wanted: set[str]) -> None:
        """Load what has its room now; drop a plan that nobody waits for any more."""
        for pending in list(self._pending):
            if pending.is_over or not self._may_go_on(pending, wanted):
                self._end(pending)
            elif not pending.is_loading and self._has_room(pending.plan):
                pending.is_loading = True
                name = f"load-{pending.plan.model}"
                threading.Thread(target=self._load, args=(pending,), name=name, daemon=True).start()
            elif not pending.is_loading and time.monotonic() - pending.since > PATIENCE_S:
                self._hand_over(HANDOVER_S, pending.plan.leaving)

    def _may_go_on(self, pending: _Pending, wanted: set[str]) -> bool:
        """Renew the turn, which a load that has begun outlives."""
        is_ours = pending.turn.renew()
        return pending.is_loading or (is_ours and not self._is_ended and pending.plan.model in wanted)

    def _has_room(self, plan: Plan) -> bool:
        return not any(one.users for one in self._cache.held() if one.name in plan.leaving)

    def _load(self, pending: _Pending) -> None:
        self._bring(pending.plan.model)
        pending.is_over = True
        self._announce()

    def _bring(self, model: str) -> None:
        try:
            with self._cache.use(model):
                self._subscribe()
        except DroverError as error:
            log.warning("model_not_placed", model=model, reason=error.message)
        except Exception:
            log.exception("model_not_placed", model=model)

    def _end(self, pending: _Pending) -> None:
        with self._lock:
            self._pending.remove(pending)
        self._cache.keep(pending.plan.leaving)
        self._subscribe()
        pending.turn.end()
