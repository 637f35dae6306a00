"""How the threads of llama.cpp wait for each other."""

import os

SETTINGS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
"""GNU's OpenMP heeds the second one, LLVM's the first."""


def wait_asleep() -> None:
    """Let OpenMP's threads sleep at a barrier after some 20 µs; call it before anything imports llama_cpp.

    By default they spin for milliseconds. On cores that others use too, one thread then spins on the core that the last
    one needs to get there: docs/performance.md has the figures. Whoever sets one of the two variables decides alone.
    They are no settings of ours: OpenMP reads them from the environment, once, when its library is loaded.
    """
    if not SETTINGS.keys() & os.environ.keys():
        os.environ.update(SETTINGS)
