"""The storm: kill -9 of every kind of process at once, until there were as many kills as asked for."""

import threading
import time

from tests.fault.arena import Arena, LoadPlan
from tests.fault.faults import Injector

EVERY_S = {"worker": 1.6, "gateway": 4.0, "session_service": 45.0, "redis": 8.0, "postgres": 12.0}
"""Mean time between two kills of a role: together about 66 a minute, if the machine can start services as fast. A
Python service takes 1 to 2 s of CPU to come back, Redis and Postgres a twentieth of that. The session service dies
seldom: a gateway that has just started knows no key until it is back, so that streams would wait for nothing else."""

LOAD = LoadPlan(streams=12, tokens=200)


def storm(arena: Arena) -> None:
    """Each role is killed by a thread of its own; a process is only killed while another of its role is ready."""
    target, begun = arena.kills, time.monotonic()
    stopping = threading.Event()
    injectors = {role: arena.injector(role) for role in EVERY_S}
    threads = [
        threading.Thread(target=_strike, args=(injector, role, stopping)) for role, injector in injectors.items()
    ]
    with arena.load(LOAD):
        for thread in threads:
            thread.start()
        try:
            while (done := len(arena.inject.faults)) < target:
                time.sleep(5)
                rate = done / (time.monotonic() - begun)
                arena.progress(f"{done} of {target} kills, {60 * rate:.0f} a minute")
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
    arena.figure("kills a minute", round(60 * len(arena.inject.faults) / (time.monotonic() - begun)))


def _strike(injector: Injector, role: str, stopping: threading.Event) -> None:
    while not stopping.wait(injector.chance.uniform(0.5, 1.5) * EVERY_S[role]):
        try:
            injector.interrupt_postgres() if role == "postgres" else injector.kill(role)
        except AssertionError:
            continue  # no process of that role could be spared within a minute: the next round asks again
