"""What OpenMP's library itself says about how its threads wait, in a process that has loaded an engine."""

import os
import subprocess
import sys

import pytest

ENGINES = ["worker.engine.llama", "worker.engine.llama_sampler", "embedding_service.engine"]


def said_by_openmp(module: str, **variables: str) -> str:
    """Everything OpenMP's library is set to, as it prints it while it is loaded."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    ended = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env={**inherited, **variables, "OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    if "GOMP_SPINCOUNT" not in ended.stderr:
        pytest.skip("this build of llama.cpp does not use GNU's OpenMP")
    return ended.stderr


@pytest.mark.parametrize("module", ENGINES)
def test_threads_spin_briefly_at_a_barrier(module: str) -> None:
    said = said_by_openmp(module)

    assert "GOMP_SPINCOUNT = '10000'" in said
    assert "OMP_WAIT_POLICY = 'ACTIVE'" in said


def test_what_the_environment_says_about_it_goes_first() -> None:
    said = said_by_openmp("worker.engine.llama", OMP_WAIT_POLICY="passive")

    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said
    assert "GOMP_SPINCOUNT = '10000'" not in said
