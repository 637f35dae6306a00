"""The placement's decision: which model this worker should load now, and which ones leave for it. No I/O.

Every worker looks at the same facts and ranks all workers the same way; the best one acts at once, each next one a
little later, so that a worker that does not act (it knows better, or it is dead) holds nobody up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

TURN_S = 0.3
"""The second best worker waits so long for the best one, and so on: more than a look and a load's announcement take."""
BEHIND_S = 2.0
"""Jobs that wait longer say that those who hold their model cannot keep up."""
BEHIND_FOR_S = 1.0
"""And that for so long: a job that comes back from a dead worker is old, but is taken at once."""
STARVED_S = 1.0
"""A model that nobody serves for so long may have the place of one that is in use."""
MAX_LOADS = 2
"""Models that one worker loads at the same time: more would only slow each other down."""

# A model keeps its place for a time that grows with what its load cost, so that loading never becomes the main work.
KEEP_IDLE_S, KEEP_IDLE_LOADS = 1.0, 2
KEEP_BUSY_S, KEEP_BUSY_LOADS = 5.0, 10
KEEP_LONGEST_S = 60.0
SPARE_IDLE_S = 10.0
"""An idle model leaves for a further copy of another one only after this."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model that `depth` jobs wait for."""

    model: str
    depth: int
    oldest_age_s: float
    needed_bytes: int
    refused_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """A model on a worker. What others do not know of it is taken for harmless: the worker itself decides last."""

    needed_bytes: int
    running: int = 0
    kept_s: float = KEEP_LONGEST_S
    idle_s: float = KEEP_LONGEST_S
    load_s: float = 0.0
    is_pinned: bool = False

    @property
    def may_go_idle(self) -> bool:
        return self.kept_s >= min(KEEP_LONGEST_S, max(KEEP_IDLE_S, KEEP_IDLE_LOADS * self.load_s))

    @property
    def may_go_busy(self) -> bool:
        return self.kept_s >= min(KEEP_LONGEST_S, max(KEEP_BUSY_S, KEEP_BUSY_LOADS * self.load_s))


@dataclass(frozen=True, slots=True)
class Place:
    """A worker. `held` least recently used first, without the models that are leaving; `free_bytes` without theirs."""

    worker: str
    held: Mapping[str, Held]
    slots: int
    busy_slots: int
    free_bytes: int
    budget_bytes: int
    loading: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    is_draining: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Load `model`; the `leaving` ones are to be evicted as soon as they are idle."""

    model: str
    leaving: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Offer:
    """What it would cost a worker: 0 free room, 1 idle models, 2 further copies in use, 3 sole copies in use."""

    cost: int
    demand: int
    leaving: tuple[str, ...]


@dataclass(slots=True)
class Planner:
    """Decides for the worker `me`. Times are seconds of any steady clock."""

    me: str
    _since: dict[str, tuple[bool, float]] = field(default_factory=dict)
    """Since when each wanted model has been unserved (True) or its holders behind (False)."""

    def decide(self, now: float, wanted: Sequence[Wanted], places: Sequence[Place]) -> Plan | None:
        """What this worker should do now, for the model whose jobs have waited longest; None: nothing."""
        alive = [place for place in places if not place.is_draining]
        self._remember(now, wanted, alive)
        depths = {one.model: one.depth for one in wanted}
        for one in sorted(wanted, key=lambda one: -one.oldest_age_s):
            if one.model in self._since and not any(one.model in place.loading for place in alive):
                is_unserved, since = self._since[one.model]
                plan = self._plan(one, alive, depths, is_unserved=is_unserved, waited_s=now - since)
                if plan is not None:
                    return plan
        return None

    def _remember(self, now: float, wanted: Sequence[Wanted], alive: Sequence[Place]) -> None:
        states: dict[str, bool] = {}
        for one in wanted:
            is_unserved = not any(one.model in place.held for place in alive)
            if is_unserved or one.oldest_age_s > BEHIND_S:
                states[one.model] = is_unserved
        known = self._since
        self._since = {
            model: known[model] if model in known and known[model][0] == state else (state, now)
            for model, state in states.items()
        }

    def _plan(
        self, one: Wanted, alive: Sequence[Place], depths: Mapping[str, int], *, is_unserved: bool, waited_s: float
    ) -> Plan | None:
        if not is_unserved and waited_s < BEHIND_FOR_S:
            return None
        offers: dict[str, _Offer] = {}
        places = {place.worker: place for place in alive}
        for place in candidates(one, alive):
            if len(place.loading) >= MAX_LOADS or (not is_unserved and place.busy_slots >= place.slots):
                continue
            others = [other for other in alive if other.worker != place.worker]
            is_starved = is_unserved and waited_s >= STARVED_S
            offer = _offer(one, place, others, depths, is_unserved=is_unserved, is_starved=is_starved)
            if offer is not None:
                offers[place.worker] = offer
        ranked = sorted(offers, key=lambda worker: _rank(one.model, places[worker], offers[worker]))
        if self.me not in offers or waited_s < ranked.index(self.me) * TURN_S:
            return None
        return Plan(one.model, offers[self.me].leaving)


def candidates(one: Wanted, places: Sequence[Place]) -> list[Place]:
    """The workers that might load the model and do not have it."""
    return [
        place
        for place in places
        if one.model not in place.held and one.model not in place.leaving and _is_able(one, place)
    ]


def is_hopeless(one: Wanted, places: Sequence[Place]) -> bool:
    """Whether no worker holds, loads or could load the model: its jobs can only fail."""
    alive = [place for place in places if not place.is_draining]
    return bool(alive) and not any(
        one.model in place.held or one.model in place.loading or _is_able(one, place) for place in alive
    )


def _is_able(one: Wanted, place: Place) -> bool:
    pinned_bytes = sum(held.needed_bytes for held in place.held.values() if held.is_pinned)
    return place.worker not in one.refused_by and place.budget_bytes - pinned_bytes >= one.needed_bytes


def _offer(
    one: Wanted,
    place: Place,
    others: Sequence[Place],
    depths: Mapping[str, int],
    *,
    is_unserved: bool,
    is_starved: bool,
) -> _Offer | None:
    """How the worker could make room, at the least cost; None if it must not."""
    missing = one.needed_bytes - place.free_bytes
    cost, leaving = 0, list[str]()
    stages = [_idle(place, others, depths, for_s=0.0 if is_unserved else SPARE_IDLE_S)]
    if is_unserved:
        busy = _busy(place, depths)
        spare = [name for name in busy if any(name in other.held for other in others)]
        stages += [spare, [name for name in busy if name not in spare] if is_starved else []]
    for stage, names in enumerate(stages, start=1):
        for name in names:
            if missing > 0 and name not in leaving:
                missing -= place.held[name].needed_bytes
                leaving.append(name)
                cost = stage
    if missing > 0:
        return None
    for name in list(leaving):  # the first ones chosen may have become superfluous by a large one after them
        if missing + place.held[name].needed_bytes <= 0:
            missing += place.held[name].needed_bytes
            leaving.remove(name)
    demand = sum(depths.get(name, 0) + place.held[name].running for name in leaving)
    return _Offer(cost, demand, tuple(leaving))


def _idle(place: Place, others: Sequence[Place], depths: Mapping[str, int], *, for_s: float) -> list[str]:
    """Models that nobody uses or waits for: those that another worker holds too first, then least recently used."""
    names = [
        name
        for name, held in place.held.items()
        if not held.running
        and not depths.get(name)
        and not held.is_pinned
        and held.may_go_idle
        and held.idle_s >= for_s
    ]
    return sorted(names, key=lambda name: not any(name in other.held for other in others))


def _busy(place: Place, depths: Mapping[str, int]) -> list[str]:
    """Models that may leave though they are used, the least wanted first."""
    names = [name for name, held in place.held.items() if held.may_go_busy and not held.is_pinned]
    return sorted(names, key=lambda name: depths.get(name, 0) + place.held[name].running)


def _rank(model: str, place: Place, offer: _Offer) -> tuple[int, int, int, float, bytes]:
    """Cheapest first; among equals every model has an order of workers of its own, so that models spread."""
    order = blake2b(f"{model}\0{place.worker}".encode(), digest_size=8).digest()
    return offer.cost, len(place.loading), offer.demand, place.busy_slots / place.slots, order
