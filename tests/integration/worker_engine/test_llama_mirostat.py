"""Mirostat with its aim kept in Python keeps the tokens that llama.cpp's own keeps, step by step."""

import ctypes
from typing import Any

import llama_cpp
import numpy as np
import pytest

from shared.job import SamplingParams
from worker.engine.llama_calls import Calls
from worker.engine.llama_mirostat import MirostatTail
from worker.engine.position_seeds import PositionSeeds

SIZE = 20_000


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("tau", [0.5, 3.0, 8.0])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_it_follows_llamas_own(version: int, tau: float, temperature: float) -> None:
    params = SamplingParams(mirostat=version, mirostat_tau=tau, mirostat_eta=0.2, temperature=temperature)
    ours = MirostatTail(params, SIZE, Calls(SIZE), PositionSeeds(1, 0))
    if version == 1:
        theirs = llama_cpp.llama_sampler_init_mirostat(SIZE, 5, tau, 0.2, 100)
    else:
        theirs = llama_cpp.llama_sampler_init_mirostat_v2(5, tau, 0.2)
    tempered = llama_cpp.llama_sampler_init_temp(temperature)

    sizes = []
    for seq in range(30):
        row = np.random.default_rng(seq).standard_normal(SIZE).astype(np.float32) * 1.5
        row[:50] += np.linspace(9, 3, 50, dtype=np.float32)
        data = np.zeros(SIZE, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        data["id"], data["logit"] = np.arange(SIZE), row
        pointer = ctypes.cast(data.ctypes.data, llama_cpp.llama_token_data_p)
        array = llama_cpp.llama_token_data_array(pointer, SIZE, -1, False)
        for link in (tempered, theirs):
            llama_cpp.llama_sampler_apply(link, ctypes.byref(array))
        assert ours.choose(row, seq, 0) in set(data["id"][: array.size].tolist())
        assert ours._last is not None
        sizes.append((ours._last.size, int(array.size)))
        ours.took(int(data["id"][array.selected]))  # both follow the same answer

    # Rounding may leave one token of a thousand in or out.
    assert all(abs(mine - llamas) <= max(1, 0.01 * llamas) for mine, llamas in sizes)
    assert len({llamas for _, llamas in sizes}) > 1 or tau == 0.5


def test_its_temperature_link_is_freed_once() -> None:
    tail: Any = MirostatTail(SamplingParams(mirostat=2), SIZE, Calls(SIZE), PositionSeeds(1, 0))

    tail.close()
    tail.close()
