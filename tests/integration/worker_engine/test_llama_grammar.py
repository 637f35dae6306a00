"""Grammars on a real vocabulary: what they let through, what kills them, and that nobody else notices."""

import json
import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from shared.catalogue import ModelEntry
from shared.errors import BadRequestError, UnavailableError
from shared.job import Constraint, GenerateJob
from tests.fakes.schema_check import is_valid
from tests.fakes.sequences import a_job
from tests.integration.worker_engine.conftest import OpenLlama
from worker.engine import llama_grammar
from worker.engine.base import Piece
from worker.engine.llama import LlamaOptions
from worker.engine.llama_factory import LlamaFactory

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 4},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
    },
    "required": ["name", "age"],
}
SCHEMAS: list[Any] = [
    PERSON,
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "object", "additionalProperties": {"type": "boolean"}, "maxLength": 3},
    {"type": "array", "prefixItems": [{"type": "null"}, {"const": 'q"\\\n☃'}], "items": False},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    {"type": "string", "pattern": '^[a-c"\\\\]{2,3}(x|y\\d)+\\.?$', "title": "annotated"},
    {"type": "string", "minLength": 2, "maxLength": 5},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "uuid"},
    {"type": "integer", "minimum": -12, "maximum": 1005},
    {"type": "integer", "exclusiveMinimum": 99},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 3},
    {"type": "number", "minimum": -2, "maximum": 2},
    {"type": ["integer", "null"], "maximum": 5, "minimum": 5},
    {"enum": [1, "two", None, {"three": [3]}, 4.5]},
    {"anyOf": [{"type": "boolean"}, {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}]},
    {"allOf": [{"$ref": "#/$defs/x"}, {"required": ["p"]}], "$defs": {"x": {"properties": {"p": {"enum": [1, 2]}}}}},
    {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"v": {"type": "boolean"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                "required": ["v"],
            }
        },
    },
]


@pytest.fixture(scope="module")
def llama(random_gguf: Path) -> Iterator[Any]:
    entry = ModelEntry(name="m", file=random_gguf.name, kind="chat", context_length=256)
    engine = LlamaFactory(LlamaOptions(slots=1, batch_tokens=64, threads=1)).open(entry, random_gguf)
    engine.decode([Piece(0, [5, 6, 7], 0, True)])
    yield engine
    engine.close()


@pytest.fixture
def fresh(open_llama: OpenLlama) -> Any:
    """An engine whose processes nobody else uses."""
    engine = open_llama()
    engine.decode([Piece(0, [5, 6, 7], 0, True)])
    return engine


@pytest.fixture
def children() -> Iterator[Any]:
    """The processes that this test has begun and that still run."""
    before = set(psutil.Process().children(recursive=True))

    def running() -> list[psutil.Process]:
        return [child for child in set(psutil.Process().children(recursive=True)) - before if child.is_running()]

    return running


def warm_of(children: Any) -> psutil.Process:
    """The process that forks the others; those may end at any moment."""
    return next(child for child in children() if child in psutil.Process().children())


def wait_for(children: Any, count: int) -> None:
    """Until so many run; a fork made ahead comes when it comes."""
    deadline = time.monotonic() + 10
    while len(children()) != count and time.monotonic() < deadline:
        time.sleep(0.01)


def constrained(kind: str, source: str = "", **fields: Any) -> GenerateJob:
    constraint = Constraint(kind=kind, source=source)  # type: ignore[arg-type]
    return a_job(constraint=constraint, **{"temperature": 1.0, "seed": 1, **fields})


def by_schema(schema: Any, **fields: Any) -> GenerateJob:
    return constrained("json_schema", json.dumps(schema), **fields)


def say(
    engine: Any, job: GenerateJob, *, begun: list[int] | None = None, most: int = 300, until: int = 10**6
) -> list[int]:
    """Tokens up to an end token, from rows that like closing and ending more the longer an answer is."""
    tokens = list(begun or [])
    sampler = engine.new_sampler(job, [], tokens, 0)
    seed = job.sampling.seed or 0
    closing = [token for token, piece in enumerate(engine.token_bytes) if piece in (b'"', b"}", b"]")]
    try:
        while len(tokens) < min(most, until) and not (tokens and tokens[-1] in engine.end_tokens):
            row = np.random.default_rng(1000 * seed + len(tokens)).standard_normal(engine.vocabulary_size)
            row[closing] += 0.2 * len(tokens)
            row[sorted(engine.end_tokens)] += 3
            engine._logits[0] = row
            tokens.append(sampler.sample(0, len(tokens) + 1).token)
    finally:
        sampler.close()
    return tokens


def text_of(engine: Any, tokens: list[int]) -> str:
    assert tokens[-1] in engine.end_tokens
    return b"".join(engine.token_bytes[token] for token in tokens).decode()


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema)[:60])
def test_an_answer_is_valid_by_its_schema(llama: Any, schema: Any) -> None:
    for seed in range(4):
        text = text_of(llama, say(llama, by_schema(schema, seed=seed)))
        assert is_valid(json.loads(text), schema), text


@pytest.mark.parametrize("seed", range(5))
def test_json_object_makes_any_object(llama: Any, seed: int) -> None:
    value = json.loads(text_of(llama, say(llama, constrained("json_object", seed=seed))))

    assert isinstance(value, dict)


def test_a_grammar_of_the_callers_own(llama: Any) -> None:
    for temperature in (0.0, 1.0):
        tokens = say(llama, constrained("gbnf", 'root ::= ("yes" | "no") [!?]', temperature=temperature))
        assert text_of(llama, tokens) in ("yes!", "yes?", "no!", "no?")


@pytest.mark.parametrize("cut", [1, 5, 12, 20])
def test_an_object_that_is_continued_elsewhere_is_whole(llama: Any, fresh: Any, cut: int) -> None:
    whole = say(llama, by_schema(PERSON, seed=3))
    begun = say(llama, by_schema(PERSON, seed=3), until=cut)

    rest = say(fresh, by_schema(PERSON, seed=3), begun=begun)

    assert rest == whole
    assert is_valid(json.loads(text_of(fresh, rest)), PERSON)


def test_an_end_that_the_grammar_demands_goes_before_min_tokens(llama: Any) -> None:
    tokens = say(llama, constrained("gbnf", 'root ::= "a"', min_tokens=50, ignore_eos=True))

    assert text_of(llama, tokens) == "a"


def test_an_answer_that_does_not_fit_its_grammar_is_refused_and_kills_nobody(llama: Any) -> None:
    for generated in ([7, 8, 9], sorted(llama.end_tokens), [10**6], [-1]):
        with pytest.raises(BadRequestError):
            llama.new_sampler(by_schema(PERSON), [], generated, 0)

    assert say(llama, by_schema(PERSON))
    assert llama.open_samplers == 0


HOSTILE_GRAMMARS = {
    "60,000 nested groups": "root ::= " + "(" * 60_000 + '"a"' + ")" * 60_000,
    "left recursion": 'root ::= root "a" | "a"',
    "not a grammar": "root := [",
    "no root": 'a ::= "b"',
    "nothing": " ",
    "a rule that is nowhere": "root ::= x",
    "multiplied repetitions": 'root ::= ((("a"{0,1999}){0,1999}){0,1999})',
    "2^40 ways to say nothing": "root ::= r0\n"
    + "".join(f"r{i} ::= r{i + 1} r{i + 1}\n" for i in range(40))
    + 'r40 ::= "a" | ""',
    "a NUL": 'root ::= "a\0"',
    "no token of ours": "root ::= <[99999999]>",
    "300,000 bytes": 'root ::= "' + "a" * 300_000 + '"',
    "a control token": "root ::= <|nothing|>",
}


@pytest.mark.parametrize("name", HOSTILE_GRAMMARS)
def test_a_hostile_grammar_is_refused_and_the_worker_lives(llama: Any, name: str) -> None:
    job = constrained("gbnf", HOSTILE_GRAMMARS[name])
    began = time.monotonic()

    for ask in (llama.prepare, llama.prepare, lambda job: llama.new_sampler(job, [], [], 0)):
        with pytest.raises(BadRequestError) as refused:
            ask(job)
        assert refused.value.param == "grammar"

    assert time.monotonic() - began < 60, "it is found out once, not each time"
    assert say(llama, by_schema(PERSON))
    assert llama.open_samplers == 0


HOSTILE_SCHEMAS = {
    "not JSON": "{",
    "not a schema": "5",
    "a reference into the net": '{"$ref": "https://example.com/schema.json"}',
    "a reference to a file": '{"$ref": "file:///etc/passwd"}',
    "a reference into nothing": '{"$ref": "#/$defs/nobody"}',
    "a reference to itself": '{"$ref": "#"}',
    "100,000 levels": '{"items":' * 6_000 + "{}" + "}" * 6_000,
    "doubled 60 times": json.dumps(
        {"$defs": {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}, "$ref": "#/$defs/d0"}
    ),
    "a pattern with a look ahead": '{"type": "string", "pattern": "^(?=a)b$"}',
    "a pattern of 5,000 repetitions": '{"type": "string", "pattern": "^a{5000}$"}',
    "not": '{"not": {}, "type": "string", "if": {"const": 1}}',
    "a string of 10^9": '{"type": "string", "minLength": 1000000000}',
    "an integer of 5,000 digits": '{"const": ' + "9" * 5_000 + "}",
    "infinity": '{"const": Infinity}',
}


@pytest.mark.parametrize("name", HOSTILE_SCHEMAS)
def test_a_hostile_schema_is_refused_and_the_worker_lives(llama: Any, name: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        llama.prepare(constrained("json_schema", HOSTILE_SCHEMAS[name]))

    assert refused.value.param == "response_format"
    assert say(llama, by_schema(PERSON))


def test_a_grammar_that_explodes_in_the_middle_ends_its_own_answer_alone(llama: Any) -> None:
    """After n times "x" it has 2^n ways to go on, and llama.cpp keeps them all."""
    grower = llama.new_sampler(
        constrained("gbnf", 'root ::= a\na ::= "x" a "y" | "x" a "z" | "w"', temperature=0.0), [], [], 0
    )
    neighbour = llama.new_sampler(constrained("json_object", temperature=0.0), [], [], 0)
    llama._logits[0] = 0
    llama._logits[0, llama.token_bytes.index(b"x")] = 9

    def go_on() -> None:
        for seq in range(1, 60):
            grower.sample(0, seq)

    with pytest.raises(BadRequestError) as ended:
        go_on()

    assert ended.value.param == "grammar"
    llama._logits[0, llama.token_bytes.index(b"{")] = 99
    assert llama.token_bytes[neighbour.sample(0, 1).token] == b"{"
    grower.close()
    neighbour.close()
    assert llama.open_samplers == 0


def test_the_warm_process_is_begun_again_when_it_dies(fresh: Any, children: Any) -> None:
    assert children() == []
    say(fresh, by_schema(PERSON))
    warm = warm_of(children)

    warm.kill()
    warm.wait(5)

    assert say(fresh, by_schema(PERSON))
    assert say(fresh, by_schema({"type": "null"}))


def test_no_process_stays_when_samplers_and_engine_are_closed(fresh: Any, children: Any) -> None:
    samplers = [fresh.new_sampler(by_schema(PERSON), [], [], 0) for _ in range(5)]
    wait_for(children, 7)
    assert len(children()) == 7, "the warm one, and one made ahead"

    for sampler in samplers:
        sampler.close()
        sampler.close()
    fresh.close()

    wait_for(children, 0)
    assert children() == []


def test_the_process_gets_no_secret_of_the_workers(fresh: Any, children: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:canary@nowhere")
    sampler = fresh.new_sampler(by_schema(PERSON), [], [], 0)
    warm = warm_of(children)

    for process in (warm, *warm.children()[:1]):
        assert b"canary" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    sampler.close()


def test_a_penalty_and_a_bias_work_under_a_grammar(llama: Any) -> None:
    job = constrained("gbnf", "root ::= [ab]{20}", temperature=0.0, logit_bias={llama.token_bytes.index(b"a"): -100.0})

    assert text_of(llama, say(llama, job)) == "b" * 20


def test_hundreds_of_constrained_samplers_leave_nothing(fresh: Any, children: Any) -> None:
    job = by_schema(PERSON, top_logprobs=2, repeat_penalty=1.1, dry_multiplier=1.0)
    fresh.prepare(job)

    for seq in range(200):
        sampler = fresh.new_sampler(job, [5, 6], [], seq % 4)
        sampler.sample(0, 1)
        sampler.close()

    assert fresh.open_samplers == 0
    deadline = time.monotonic() + 10
    while len(children()) > 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(children()) == 2


def test_a_process_that_has_no_time_to_answer_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_grammar, "ANSWER_S", 0.05)
    ours, _silent = multiprocessing.Pipe()
    grammar = llama_grammar.Grammar(ours, vocabulary_size=8, param="grammar")

    with pytest.raises(UnavailableError):
        grammar.offer(1)
