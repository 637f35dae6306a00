"""How the threads of llama.cpp wait for each other."""

import os

SETTINGS = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}
"""GNU's OpenMP heeds the first two, LLVM's the last.

`active` is for one thing only: without it GNU's caps the spin at 100 where a process has more threads than the machine
has cores, as one with two loaded models has, and every barrier becomes a sleep. A decode then took twice as long.
"""


def wait_briefly() -> None:
    """Let OpenMP's threads sleep at a barrier after some 200 µs; call it before anything imports llama_cpp.

    By default they spin for milliseconds. On cores that others use too, one thread then spins on the core that the last
    one needs to get there: docs/performance.md has the figures. Whoever sets one of the variables decides alone.
    They are no settings of ours: OpenMP reads them from the environment, once, when its library is loaded.
    """
    if not SETTINGS.keys() & os.environ.keys():
        os.environ.update(SETTINGS)
