"""Tool calls are found in every form, however the text is cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tool_calls import Found, ToolCallReader, read_answer

NAMES = {"weather", "add"}
ARGUMENTS = {"city": 'Köln "}]\\', "days": [1, {"a": None}]}
CALL = json.dumps({"name": "weather", "arguments": ARGUMENTS}, ensure_ascii=False)
ANSWERS = {
    "hermes": f"<tool_call>\n{CALL}\n</tool_call>",
    "hermes, nothing closed": f"<tool_call>{CALL}",
    "llama3": json.dumps({"name": "weather", "parameters": ARGUMENTS}),
    "llama3 with its tag": "<|python_tag|>" + json.dumps({"name": "weather", "parameters": ARGUMENTS}),
    "mistral": f"[TOOL_CALLS] [{CALL}]",
}


def read_in_pieces(pieces: list[str]) -> Found:
    reader = ToolCallReader(NAMES, "j")
    whole = Found()
    for piece in pieces:
        found = reader.push(piece)
        whole.content += found.content
        whole.calls += found.calls
    whole.content += reader.close().content
    return whole


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_call_is_found_in_every_form(text: str) -> None:
    found = read_answer(text, NAMES, "j")

    (call,) = found.calls
    assert call.id == "call_j_0"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == ARGUMENTS
    assert found.content == ""


@given(st.sampled_from(list(ANSWERS.values())), st.lists(st.integers(0, 120), max_size=12))
def test_it_does_not_matter_how_the_text_is_cut(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})

    found = read_in_pieces([text[start:end] for start, end in pairwise(places)])

    assert [json.loads(call.function.arguments) for call in found.calls] == [ARGUMENTS]
    assert found.content.strip() == ""


def test_several_calls_and_the_text_before_them_are_told_apart() -> None:
    second = '{"name": "add", "arguments": {"a": 1}}'
    text = f"Let me see.\n<tool_call>\n{CALL}\n</tool_call>\n<tool_call>\n{second}\n</tool_call>"

    found = read_in_pieces(list(text))

    assert [call.function.name for call in found.calls] == ["weather", "add"]
    assert [call.id for call in found.calls] == ["call_j_0", "call_j_1"]
    assert found.content == "Let me see.\n"


@pytest.mark.parametrize(
    "text",
    [
        "Just text with a < and a [ and a { in it.",
        '{"city": "Paris", "days": 2}',
        '{"name": "nobody", "arguments": {}}',
        '{"name": "weather", "arguments": {',
        "<tool_call>no JSON at all</tool_call>",
        "<tool_call>",
        '<tool_call>{"name": 1}</tool_call>',
        "   {broken",
        "<tool_ca",
        "[TOOL_CALLS][]",
        "",
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert read_in_pieces(list(text)) == Found(text)
    assert read_answer(text, NAMES, "j") == Found(text)


@given(st.lists(st.sampled_from(["<tool_call>", "</tool_call>", "{", "}", "[", "]", '"', "\\", "a", " ", "\n"])))
def test_text_without_calls_is_never_lost(pieces: list[str]) -> None:
    text = "".join(pieces)

    assert read_in_pieces(pieces) == Found(text)
    assert "".join([read_answer(text, NAMES, "j").content]) == text


def test_an_answer_of_a_later_choice_has_ids_of_its_own() -> None:
    found = read_answer(ANSWERS["hermes"], NAMES, "j", choice=2)

    assert [call.id for call in found.calls] == ["call_j_2_0"]
