"""Tool calls by the demo model, which knows of none by itself: the grammar alone makes them, in every family's form."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from session_service.token_counter import TokenCounter
from shared.bodies.messages import FunctionCall, Message, ToolCall
from shared.bodies.tools import Tool, ToolChoice
from shared.catalogue import Catalogue, ModelEntry
from shared.errors import BadRequestError
from shared.events import TokensEvent
from shared.job import Constraint
from shared.tool_calls import FORMATS, ToolFormat, read_answer
from tests.fakes.random_gguf import Shape, write_random_gguf
from tests.fakes.schema_check import is_valid
from tests.fakes.sequences import Collector, a_job, a_request
from worker.engine.llama import LlamaEngine, LlamaOptions
from worker.engine.llama_factory import LlamaFactory
from worker.loaded_model import LoadedModel

SUM = Tool(
    name="add_up",
    description="Adds two numbers.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}, "b": {"enum": [1, 2]}},
        "required": ["a", "b"],
    },
)
CLOCK = Tool(name="add_clock", parameters={"type": "object", "properties": {}})
TOOLS = {tool.name: tool for tool in (SUM, CLOCK)}
REQUIRED = ToolChoice(mode="required")
TEMPLATES = {
    "hermes": "chatml",
    "llama3": "{#ipython#}{% for m in messages %}{{ m.content }}\n{% endfor %}{{ tools }}",
    "mistral": "{#[TOOL_CALLS]#}{% for m in messages %}{{ m.content }}\n{% endfor %}{{ tools }}",
}


def open_model(template: str = "") -> Iterator[LoadedModel]:
    catalogue = Catalogue.load(Path("models"))
    entry = catalogue.get("drover-tiny").model_copy(update={"template": template})
    engine = LlamaFactory(LlamaOptions(slots=4, threads=1)).open(entry, catalogue.path_of(entry))
    assert isinstance(engine, LlamaEngine)
    loaded = LoadedModel(entry, engine, stall_s=60, prefill_stall_s=60)
    yield loaded
    loaded.close()
    assert engine.open_samplers == 0


@pytest.fixture(scope="module")
def model() -> Iterator[LoadedModel]:
    yield from open_model()


@pytest.fixture(scope="module", params=FORMATS, ids=lambda form: form.name)
def model_of_form(request: pytest.FixtureRequest) -> Iterator[LoadedModel]:
    form: ToolFormat = request.param
    yield from open_model(TEMPLATES[form.name])


def said(model: LoadedModel, *, logged: list[Any] | None = None, **fields: Any) -> Collector:
    collector = Collector()
    life: dict[str, Any] = {"epoch": 2, "logged": logged} if logged else {}
    given = {"tools": (SUM, CLOCK), "max_tokens": 200, "temperature": 1.0, "seed": 7, **fields}
    given["model_digest"] = model.entry.sha256
    model.submit(a_request(a_job("j1", "What is 2 plus 3?", **given), collector, **life))
    collector.wait()
    return collector


def calls_of(collector: Collector) -> list[ToolCall]:
    """The calls of an answer that has nothing else in it."""
    found = read_answer(collector.text, TOOLS, "j1")
    assert found.content == ""
    assert collector.final.finish_reason == "stop"
    for call in found.calls:
        arguments = json.loads(call.function.arguments)
        assert is_valid(arguments, TOOLS[call.function.name].parameters)
        assert call.function.name == SUM.name or arguments == {}
    return found.calls


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_required_call_is_valid_by_its_tools_schema(model_of_form: LoadedModel, seed: int) -> None:
    answer = said(model_of_form, tool_choice=REQUIRED, parallel_tool_calls=False, seed=seed)

    assert len(calls_of(answer)) == 1


def test_a_named_tool_is_called_once(model_of_form: LoadedModel) -> None:
    answer = said(model_of_form, tool_choice=ToolChoice(mode="required", name=CLOCK.name))

    (call,) = calls_of(answer)
    assert call.function.name == CLOCK.name


def test_there_may_be_several_calls_and_each_is_valid(model: LoadedModel) -> None:
    counts = set()
    for seed in range(3):
        found = read_answer(said(model, tool_choice=REQUIRED, seed=seed).text, TOOLS, "j1")
        counts.add(len(found.calls))
        for call in found.calls[:-1]:  # the last one may be cut short: so small a model does not know when to stop
            assert is_valid(json.loads(call.function.arguments), TOOLS[call.function.name].parameters)

    assert max(counts) > 1


def begun_with(model: LoadedModel, text: str) -> list[TokensEvent]:
    """An earlier life that has written `text`, a token an event."""
    engine = model._engine
    tokens = [token for token in engine.tokenize(text) if engine.token_bytes[token]]
    written = [engine.token_bytes[token].decode() for token in tokens]
    assert "".join(written).strip() == text
    pairs = zip(tokens, written, strict=True)
    return [TokensEvent("j1", seq, 1, [token], [one]) for seq, (token, one) in enumerate(pairs, 1)]


@pytest.mark.parametrize("most", [1, 32])
def test_a_call_that_the_model_begins_by_itself_is_held_to_the_schema(model: LoadedModel, most: int) -> None:
    begun = begun_with(model, "Well. <tool_call>")

    rest = said(model, logged=begun, parallel_tool_calls=most > 1, max_tokens=400)

    found = read_answer("".join(event.texts[0] for event in begun) + rest.text, TOOLS, "j1")
    assert found.content.strip() == "Well."
    assert 1 <= len(found.calls) <= most
    for call in found.calls:
        assert is_valid(json.loads(call.function.arguments), TOOLS[call.function.name].parameters)


def test_a_call_without_an_opener_is_held_to_the_schema_from_its_name_on() -> None:
    for loaded in open_model(TEMPLATES["llama3"]):
        begun = begun_with(loaded, '{"name": "add_up"')

        rest = said(loaded, logged=begun)

        (call,) = read_answer("".join(event.texts[0] for event in begun) + rest.text, TOOLS, "j1").calls
        assert is_valid(json.loads(call.function.arguments), SUM.parameters)


def test_an_answer_without_a_call_is_what_it_would_be_with_none_to_make(model: LoadedModel) -> None:
    free = said(model, temperature=0.0)
    forbidden = said(model, temperature=0.0, tool_choice=ToolChoice(mode="none"))

    assert free.token_ids == forbidden.token_ids
    assert read_answer(free.text, TOOLS, "j1").calls == []


@pytest.mark.parametrize("life", [3, 12, 30])
def test_a_call_that_two_workers_made_is_whole(model: LoadedModel, life: int) -> None:
    whole = said(model, tool_choice=REQUIRED, parallel_tool_calls=False)
    begun = whole.events[:life]

    rest = said(model, tool_choice=REQUIRED, parallel_tool_calls=False, logged=begun)

    assert [token for event in begun for token in event.token_ids] + rest.token_ids == whole.token_ids
    assert calls_of(whole)


def test_with_a_response_format_the_model_writes_that_or_a_call(model: LoadedModel) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    constraint = Constraint(kind="json_schema", source=json.dumps(schema))
    kinds = set()
    for seed in range(12):
        answer = said(model, constraint=constraint, seed=seed, temperature=2.0, parallel_tool_calls=False)
        found = read_answer(answer.text, TOOLS, "j1")
        kinds.add(bool(found.calls))
        assert found.calls or is_valid(json.loads(found.content), schema)

    assert False in kinds


def test_a_schema_that_no_grammar_can_hold_to_is_loose_unless_it_is_strict(model: LoadedModel) -> None:
    loose = Tool(name="add_up", parameters={"type": "object", "properties": {"a": {"not": {}}}})

    answer = said(model, tools=(loose,), tool_choice=REQUIRED, parallel_tool_calls=False, max_tokens=12)
    assert answer.final.error is None

    with pytest.raises(BadRequestError) as refused:
        said(model, tools=(loose.model_copy(update={"strict": True}),), tool_choice=REQUIRED)
    assert refused.value.param == "tools"
    assert "add_up" in refused.value.message


def test_the_session_service_counts_what_the_worker_reads(model: LoadedModel) -> None:
    function = FunctionCall(name="add_up", arguments='{"a": 2, "b": 1}')
    messages = (
        Message(role="user", content="What is 2 plus 1?"),
        Message(role="assistant", content="", tool_calls=(ToolCall(id="call_1", function=function),)),
        Message(role="tool", content="3", tool_call_id="call_1"),
    )
    collector = Collector()
    job = a_job("j1", tools=(SUM, CLOCK), max_tokens=2).model_copy(update={"messages": messages})

    model.submit(a_request(job, collector))

    counter = TokenCounter(Catalogue.load(Path("models")))
    assert collector.wait().usage.prompt_tokens == counter.count_prompt("drover-tiny", messages, (SUM, CLOCK))


def test_a_control_token_that_marks_calls_is_seen_in_the_text(tmp_path: Path) -> None:
    path = write_random_gguf(tmp_path / "m.gguf", Shape(marks=("[TOOL_CALLS]", "[OTHER]")))
    entry = ModelEntry(name="m", file=path.name, kind="chat", context_length=512, template=TEMPLATES["mistral"])
    engine = LlamaFactory(LlamaOptions(slots=1, threads=1)).open(entry, path)
    loaded = LoadedModel(entry, engine, stall_s=60, prefill_stall_s=60)
    mark = engine.token_bytes.index(b"[TOOL_CALLS]")
    assert engine.token_bytes[mark + 1] == b""

    answer = said(loaded, tool_choice=ToolChoice(mode="required", name=CLOCK.name), logit_bias={mark: 100.0})

    loaded.close()
    assert answer.token_ids[0] == mark
    assert [call.function.name for call in calls_of(answer)] == [CLOCK.name]
