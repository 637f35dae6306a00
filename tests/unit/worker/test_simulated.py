"""The simulated engine says the same to the same prompt, and refuses what llama.cpp would refuse."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared.catalogue import ModelEntry
from shared.errors import InferenceError
from shared.job import SamplingParams
from tests.fakes.sequences import a_job
from worker.engine.base import DecodeError, Piece
from worker.engine.simulated import END_TOKEN, SimulatedEngine, SimulatedFactory, SimulatedOptions


def an_engine(**options: int) -> SimulatedEngine:
    values = {"slots": 2, "batch_tokens": 8, "step_ms": 0, "prompt_token_ms": 0} | options
    return SimulatedEngine(ModelEntry(name="m", file="m", kind="chat", context_length=16), SimulatedOptions(**values))


def words(engine: SimulatedEngine, prompt: list[int], count: int, *, seed: int | None = None) -> list[int]:
    engine.clear(0)
    engine.decode([Piece(0, prompt, 0, True)])
    sampler = engine.new_sampler(a_job(sampling=SamplingParams(seed=seed)), prompt, [], 0)
    return [sampler.sample(0, seq).token for seq in range(1, count + 1)]


def test_the_answer_depends_on_prompt_and_seed_alone() -> None:
    first, second = an_engine(), an_engine(slots=4)

    assert words(first, [1, 2], 20) == words(second, [1, 2], 20)
    assert words(first, [1, 2], 20) != words(first, [1, 3], 20)
    assert words(first, [1, 2], 20) != words(first, [1, 2], 20, seed=9)


def test_an_answer_has_the_length_that_is_set() -> None:
    engine = an_engine(answer_tokens=3)

    tokens = words(engine, [1, 2], 4)

    assert tokens.index(END_TOKEN) == 3


def test_text_that_is_split_into_tokens_can_be_spelled_again() -> None:
    engine = an_engine()
    text = "the river walks,\nnaïvely ☃ under 12 stone"

    tokens = engine.tokenize(text)

    assert b"".join(engine.token_bytes[token] for token in tokens).decode() == text


@pytest.mark.parametrize(
    "piece",
    [Piece(0, [1] * 9, 0, True), Piece(0, [], 0, True), Piece(0, [1], 3, True)],
    ids=["too large", "empty", "a gap in the sequence"],
)
def test_a_batch_that_makes_no_sense_is_refused(piece: Piece) -> None:
    with pytest.raises(DecodeError):
        an_engine().decode([piece])


def test_a_sequence_beyond_the_context_is_refused() -> None:
    engine = an_engine()
    engine.decode([Piece(0, [1] * 8, 0, False)])
    engine.decode([Piece(0, [1] * 8, 8, False)])

    with pytest.raises(DecodeError):
        engine.decode([Piece(0, [1], 16, True)])


def test_an_output_that_does_not_exist_is_an_error() -> None:
    engine = an_engine()
    engine.decode([Piece(0, [1], 0, False)])

    with pytest.raises(InferenceError):
        engine.new_sampler(a_job(), [1], [], 0).sample(0, 1)


def test_a_prompt_that_fits_by_a_real_vocabulary_fits_here_too() -> None:
    entry = ModelEntry(name="sim", file="sim.gguf", kind="chat", context_length=64)
    text = "unlikely syllables " * 12  # 228 bytes, so 57 tokens of four bytes

    engine = SimulatedFactory(SimulatedOptions(load_ms=0)).open(entry, Path("none"))

    assert len(engine.tokenize(text)) < engine.context_length


def test_decoding_hangs_after_the_steps_that_are_set() -> None:
    engine = an_engine(hang_after_steps=1)
    engine.decode([Piece(0, [1], 0, True)])

    decoding = threading.Thread(target=engine.decode, args=([Piece(0, [1], 1, True)],), daemon=True)
    decoding.start()
    decoding.join(timeout=0.1)

    assert decoding.is_alive()


def test_a_poisoned_request_kills_the_process_when_it_is_decoded() -> None:
    code = (
        "from tests.fakes.sequences import a_job\n"
        "from shared.catalogue import ModelEntry\n"
        "from worker.engine.base import Piece\n"
        "from worker.engine.simulated import SimulatedEngine, SimulatedOptions\n"
        "entry = ModelEntry(name='m', file='m', kind='chat', context_length=16)\n"
        "engine = SimulatedEngine(entry, SimulatedOptions(poison='arsenic'))\n"
        "engine.new_sampler(a_job(prompt='tea'), [1], [], 0)\n"
        "engine.decode([Piece(0, [1], 0, True)])\n"
        "print('alive', flush=True)\n"
        "engine.new_sampler(a_job(prompt='arsenic'), [1], [], 0)\n"
        "engine.decode([Piece(1, [1], 0, True)])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[3])

    assert done.stdout.strip() == "alive", done.stderr
    assert done.returncode == -signal.SIGKILL
