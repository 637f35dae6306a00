import json
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.chat.body import ChatCompletionBody
from gateway.chat.refused_fields import IgnoredFields, RefusedFields

HELLO = [{"role": "user", "content": "Hello"}]


def read(**fields: Any) -> ChatCompletionBody:
    return ChatCompletionBody.model_validate({"model": "m", "messages": HELLO, **fields})


def wrong_field(**fields: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        read(**fields)
    return ".".join(str(part) for part in refused.value.errors()[0]["loc"])


def test_a_plain_request_takes_every_default() -> None:
    body = read()

    sampling = body.sampling()
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed) == (1.0, 1.0, 0, None)
    assert body.token_limit is None
    assert body.stop is None


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 2.1},
        {"temperature": -0.1},
        {"temperature": "1"},
        {"temperature": True},
        {"temperature": float("nan")},
        {"top_p": 1.01},
        {"top_k": -1},
        {"top_k": 1.5},
        {"min_p": 2},
        {"typical_p": -1},
        {"presence_penalty": 2.5},
        {"frequency_penalty": -2.5},
        {"repeat_penalty": 0},
        {"seed": "7"},
        {"seed": 2**63},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"max_completion_tokens": 0},
        {"stop": ["a"] * 5},
        {"stream": "yes"},
        {"n": 0},
        {"n": 129},
        {"repeat_last_n": -2},
        {"dry_multiplier": -1},
        {"dry_base": 0.5},
        {"dry_allowed_length": -1},
        {"dry_penalty_last_n": 1.5},
        {"dry_sequence_breakers": ["a"] * 17},
        {"mirostat": 3},
        {"mirostat": True},
        {"mirostat_tau": -1},
        {"mirostat_eta": 2},
        {"min_tokens": -1},
        {"logit_bias": {"a": 1}},
        {"logit_bias": {"-1": 1}},
        {"logit_bias": {"\u0663": 1}},
        {"logit_bias": {str(2**31): 1}},
        {"logit_bias": [1]},
        {"logit_bias": {str(token): 1 for token in range(301)}},
        {"logprobs": 1},
        {"top_logprobs": 21},
        {"top_logprobs": 3},
        {"service_tier": "gold"},
        {"grammar": ""},
        {"response_format": "json"},
        {"user": 7},
        {"metadata": "x"},
        {"messages": HELLO * 2049},
        {"session_id": ""},
        {"timeout_s": 0},
        {"model": ""},
        {"model": 7},
        {"messages": []},
        {"messages": "Hello"},
        {"ignore_eos": "yes"},
    ],
)
def test_a_value_out_of_range_or_of_the_wrong_type_is_refused_by_name(fields: dict[str, Any]) -> None:
    assert wrong_field(**fields) == next(iter(fields))


@pytest.mark.parametrize("name", RefusedFields.model_fields)
def test_what_is_not_supported_is_refused_and_never_ignored(name: str) -> None:
    assert wrong_field(**{name: {"type": "json_object"}}) == name


@pytest.mark.parametrize(
    "fields",
    [{"tools": []}, {"functions": None}, {"modalities": ["text"]}, {"tool_choice": "none"}, {"audio": {}}],
)
def test_an_unsupported_field_that_asks_for_nothing_is_accepted(fields: dict[str, Any]) -> None:
    read(**fields)


def test_an_empty_wish_for_a_search_is_one() -> None:
    assert wrong_field(web_search_options={}) == "web_search_options"


def test_options_of_a_stream_need_a_stream() -> None:
    assert wrong_field(stream_options={"include_usage": True}) == "stream_options"
    assert read(stream=True, stream_options={"include_usage": True}).ask().has_usage
    assert not read(stream=True, stream_options={"include_usage": None}).ask().has_usage


@pytest.mark.parametrize("name", IgnoredFields.model_fields)
def test_an_ignored_field_changes_nothing_of_what_is_asked(name: str) -> None:
    value = {"a": "b"} if name == "metadata" else "x"

    assert read(**{name: value}).ask() == read().ask()


def test_unknown_fields_are_ignored() -> None:
    read(store=False, something_new={"a": 1})


def test_the_newer_name_of_the_token_limit_wins() -> None:
    assert read(max_tokens=5, max_completion_tokens=3).token_limit == 3
    assert read(max_tokens=5).token_limit == 5


@pytest.mark.parametrize("name", sorted(set(ChatCompletionBody.model_fields) - {"model", "messages"}))
def test_null_is_as_good_as_leaving_a_field_out(name: str) -> None:
    assert getattr(read(**{name: None}), name) is None


def test_metadata_is_as_small_and_flat_as_openais() -> None:
    assert wrong_field(metadata={"a": {"b": "c"}}) == "metadata.a"
    assert wrong_field(metadata={str(number): "x" for number in range(17)}) == "metadata"


def test_one_stop_string_is_a_list_of_one() -> None:
    assert read(stop="END").stop == ["END"]


def test_an_empty_stop_string_is_refused() -> None:
    assert wrong_field(stop=["a", ""]) == "stop.1"
    assert wrong_field(stop="").startswith("stop")


def test_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]

    body = read(messages=[{"role": "user", "content": parts}])

    assert body.ask().messages[0].content == "Hello"


@pytest.mark.parametrize(
    "part", [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text"}, {"type": "text", "text": 1}, "x", None]
)
def test_a_part_that_is_not_text_is_refused_with_its_message(part: Any) -> None:
    assert wrong_field(messages=[*HELLO, {"role": "user", "content": [part]}]) == "messages.1.content"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "wizard", "content": "x"}, "role"),
        ({"role": "user"}, "content"),
        ({"role": "assistant", "content": None}, "content"),
        ({"content": "x"}, "role"),
        ({"role": "user", "content": "x", "name": 7}, "name"),
    ],
)
def test_a_malformed_message_is_refused_at_its_field(message: dict[str, Any], param: str) -> None:
    assert wrong_field(messages=[message]) == f"messages.0.{param}"


def test_llama_cpps_parameters_reach_the_sampling() -> None:
    sampling = read(mirostat=2, mirostat_tau=3, dry_sequence_breakers=["x"], repeat_last_n=-1, min_tokens=4).sampling()

    assert (sampling.mirostat, sampling.mirostat_tau, sampling.repeat_last_n, sampling.min_tokens) == (2, 3, -1, 4)
    assert sampling.dry_sequence_breakers == ("x",)


def test_biases_are_by_token_id() -> None:
    assert read(logit_bias={"7": -100, "008": 1.5}).sampling().logit_bias == {7: -100, 8: 1.5}


def test_a_bias_out_of_range_is_refused_at_its_key() -> None:
    assert wrong_field(logit_bias={"7": 101}) == "logit_bias.7"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [({}, None), ({"logprobs": True}, 0), ({"logprobs": True, "top_logprobs": 5}, 5), ({"top_logprobs": 0}, None)],
)
def test_logprobs_are_wanted_only_when_asked_for(fields: dict[str, Any], wanted: int | None) -> None:
    assert read(**fields).wanted_logprobs == wanted


@pytest.mark.parametrize(
    ("tier", "priority", "told"),
    [(None, "interactive", None), ("flex", "batch", "flex"), ("auto", "interactive", "default")],
)
def test_the_tier_chooses_the_priority(tier: str | None, priority: str, told: str | None) -> None:
    body = read(service_tier=tier)

    assert (body.priority, body.told_tier) == (priority, told)


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("response_format", "kind"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, "json_object"),
        ({"type": "json_object", "schema": SCHEMA}, "json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}, "json_schema"),
        ({"type": "json_schema", "json_schema": {"name": "s"}}, "json_object"),
    ],
)
def test_a_response_format_becomes_a_constraint(response_format: dict[str, Any], kind: str | None) -> None:
    constraint = read(response_format=response_format).constraint

    assert (constraint and constraint.kind) == kind
    if constraint and kind == "json_schema":
        assert json.loads(constraint.source) == SCHEMA


@pytest.mark.parametrize(
    ("response_format", "field"),
    [
        ({"type": "yaml"}, "response_format.type"),
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "json_schema", "json_schema": {"schema": {}}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": []}}, "response_format.json_schema.schema"),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "http://x"}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_a_malformed_response_format_is_refused_at_its_field(response_format: dict[str, Any], field: str) -> None:
    assert wrong_field(response_format=response_format) == field


def test_an_answer_follows_one_rule_only() -> None:
    assert wrong_field(grammar='root ::= "a"', response_format={"type": "json_object"}) == "grammar"


def test_every_body_has_a_digest() -> None:
    read(logit_bias={"7": 1}, response_format={"type": "json_object", "schema": SCHEMA}).model_dump_json()
