"""The simulated engine says the same to the same prompt, and refuses what llama.cpp would refuse."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from shared.bodies.tools import Tool, ToolChoice
from shared.catalogue import ModelEntry
from shared.errors import BadRequestError, InferenceError
from shared.job import Constraint, SamplingParams
from shared.tool_calls import read_answer
from tests.fakes.schema_check import is_valid
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


def test_an_answer_has_min_tokens_at_least() -> None:
    engine = an_engine(answer_tokens=3)
    engine.decode([Piece(0, [1], 0, True)])

    sampler = engine.new_sampler(a_job(sampling=SamplingParams(min_tokens=5)), [1], [], 0)

    assert [sampler.sample(0, seq).token for seq in range(1, 7)].index(END_TOKEN) == 5


def test_a_bias_forces_and_forbids() -> None:
    engine = an_engine()
    engine.decode([Piece(0, [1], 0, True)])
    lantern = engine.tokenize(" lanterns")[0]

    def drawn(bias: float) -> set[int]:
        sampler = engine.new_sampler(a_job(sampling=SamplingParams(logit_bias={lantern: bias})), [1], [], 0)
        return {sampler.sample(0, seq).token for seq in range(1, 250)}

    assert drawn(100.0) == {lantern}
    assert lantern not in drawn(-100.0)
    assert lantern in drawn(5.0)


def test_a_bias_of_no_token_is_refused() -> None:
    job = a_job(sampling=SamplingParams(logit_bias={10**6: 1.0}))

    for ask in (an_engine().prepare, lambda job: an_engine().new_sampler(job, [1], [], 0)):
        with pytest.raises(BadRequestError) as refused:
            ask(job)
        assert refused.value.param == "logit_bias"


SCHEMAS: list[Any] = [
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}, "b": {}}, "required": ["a"]},
    {"type": "array", "prefixItems": [{"const": "é"}], "items": {"type": "boolean"}, "minItems": 3},
    {
        "anyOf": [{"$ref": "#/$defs/endless"}, {"type": "string", "minLength": 2}],
        "$defs": {"endless": {"type": "object", "properties": {"x": {"$ref": "#/$defs/endless"}}, "required": ["x"]}},
    },
    {"enum": ["one", 2], "type": "integer"},
    {"type": "string", "format": "uuid"},
    {"type": "number", "maximum": -2},
    {"allOf": [{"properties": {"p": {"type": "null"}}}, {"required": ["p", "q"]}]},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_a_schema_is_answered_with_a_small_value_of_its_own(schema: Any) -> None:
    engine = an_engine()
    engine.decode([Piece(0, [1], 0, True)])
    job = a_job(constraint=Constraint(kind="json_schema", source=json.dumps(schema)))
    sampler = engine.new_sampler(job, [1], [], 0)

    tokens = [sampler.sample(0, seq).token for seq in range(1, 100)]

    text = b"".join(engine.token_bytes[token] for token in tokens[: tokens.index(END_TOKEN)])
    assert is_valid(json.loads(text), schema)


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint(kind="gbnf", source='root ::= "a"'),
        Constraint(kind="json_schema", source='{"type": "string", "pattern": "^a$"}'),
        Constraint(kind="json_schema", source='{"not": {}}'),
        Constraint(kind="json_schema", source='{"required": ["a"], "properties": {"a": {"$ref": "#"}}}'),
    ],
)
def test_a_constraint_without_a_simple_answer_is_refused(constraint: Constraint) -> None:
    with pytest.raises(BadRequestError) as refused:
        an_engine().prepare(a_job(constraint=constraint))

    assert refused.value.param == ("grammar" if constraint.kind == "gbnf" else "response_format")


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ({"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}, {"n": 3}),
        ({"type": "object", "properties": {}}, {}),
        ({"type": "object", "properties": {"a": {"not": {}}}}, {}),
    ],
)
def test_a_tool_that_must_be_called_is_called(parameters: dict[str, Any], arguments: dict[str, Any]) -> None:
    engine = an_engine()
    engine.decode([Piece(0, [1], 0, True)])
    tool = Tool(name="count", parameters=parameters)
    sampler = engine.new_sampler(a_job(tools=(tool,), tool_choice=ToolChoice(mode="required")), [1], [], 0)

    said = []
    while (token := sampler.sample(0, len(said) + 1).token) != END_TOKEN:
        said.append(token)

    (call,) = read_answer(b"".join(engine.token_bytes[token] for token in said).decode(), {"count"}, "j1").calls
    assert json.loads(call.function.arguments) == arguments
