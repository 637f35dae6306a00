"""Tool calls are found in every form, however the text is cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tool_calls import CallPiece, Found, ToolCallReader, read_answer

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


def as_found(text: str) -> Found:
    return Found([text] if text else [])


def read_in_pieces(pieces: list[str]) -> Found:
    reader = ToolCallReader(NAMES, "j")
    whole = Found()
    for piece in pieces:
        whole.extend(reader.push(piece))
    whole.extend(reader.close())
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
    assert found.content == "Let me see."


@pytest.mark.parametrize(
    "text",
    [
        "Just text with a < and a [ and a { in it.",
        '{"city": "Paris", "days": 2}',
        '{"name": "nobody", "arguments": {}}',
        '{"name": "weather", "arguments": ',
        '[TOOL_CALLS][{"name": "nobody", "arguments": {"x": "<tool_call>"}}]',
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
    assert read_in_pieces(list(text)) == as_found(text)
    assert read_answer(text, NAMES, "j") == as_found(text)


@given(st.lists(st.sampled_from(["<tool_call>", "</tool_call>", "{", "}", "[", "]", '"', "\\", "a", " ", "\n"])))
def test_text_without_calls_is_never_lost(pieces: list[str]) -> None:
    text = "".join(pieces)

    assert read_in_pieces(pieces) == as_found(text)
    assert read_answer(text, NAMES, "j") == as_found(text)


def test_an_answer_of_a_later_choice_has_ids_of_its_own() -> None:
    found = read_answer(ANSWERS["hermes"], NAMES, "j", choice=2)

    assert [call.id for call in found.calls] == ["call_j_2_0"]


def test_a_call_begins_with_its_name_and_its_arguments_come_as_they_are_written() -> None:
    reader = ToolCallReader(NAMES, "j")

    before = reader.push('Wait. <tool_call>\n{"name": "weather", "arguments"')
    begun = reader.push(': {"city": "Par')
    ended = reader.push('is"}}\n</tool_call>')

    assert before.pieces == ["Wait."]
    assert begun.pieces == [
        CallPiece(0, "call_j_0", "weather", begins=True),
        CallPiece(0, "call_j_0", "weather", '{"city": "Par'),
    ]
    assert ended.pieces == [
        CallPiece(0, "call_j_0", "weather", 'is"}'),
        CallPiece(0, "call_j_0", "weather", ends=True),
    ]
    assert [call.function.arguments for call in ended.calls] == ['{"city": "Paris"}']
    assert reader.close() == Found()


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{CALL}</tool_call>\n<tool_call>{CALL}</tool_call>",
        f"[TOOL_CALLS][{CALL}, {CALL}]",
        f"<tool_call>[{CALL},{CALL}]</tool_call> ",
        f'<tool_call>{{"arguments": {{"a": 1}}, "name": "add"}}</tool_call><tool_call>{CALL}',
        f'<tool_call>{{"name": "add", "arguments": "{{\\"a\\": 1}}", "id": 7}}</tool_call><tool_call>{CALL}</tool_ca',
        f'<tool_call>{{"type": "function", "function": {CALL}}}</tool_call><tool_call>{CALL}</tool_call></tool_call>',
        f"<tool_call>{CALL}</tool_call><tool_call>{CALL[:-20]}",
        f'<tool_call>{CALL}</tool_call><tool_call>{CALL}</tool_call>\n<tool_call>\n{{"name": "we',
    ],
)
def test_two_calls_are_found_in_every_form_however_they_are_cut(text: str) -> None:
    whole = read_answer(text, NAMES, "j")

    assert [call.id for call in whole.calls] == ["call_j_0", "call_j_1"]
    assert whole.content == ""
    for size in (1, 2, 3, 7):
        pieces = read_in_pieces([text[start : start + size] for start in range(0, len(text), size)])
        assert pieces.calls == whole.calls
        assert told(pieces) == told(whole)


def told(found: Found) -> list[tuple[str, str]]:
    """Names and arguments as a reader of the pieces puts them together."""
    calls: list[tuple[str, str]] = []
    for piece in found.pieces:
        if isinstance(piece, CallPiece):
            if piece.begins:
                calls.append((piece.name, ""))
            calls[-1] = (piece.name, calls[-1][1] + piece.arguments)
    assert calls == [(call.function.name, call.function.arguments) for call in found.calls]
    return calls


def test_an_answer_that_is_cut_short_leaves_a_call_with_half_its_arguments() -> None:
    found = read_answer('<tool_call>{"name": "weather", "arguments": {"city": "Pa', NAMES, "j")

    assert [call.function.arguments for call in found.calls] == ['{"city": "Pa']
    assert found.content == ""


def test_text_behind_a_call_keeps_its_spaces() -> None:
    text = f"<tool_call>{CALL}</tool_call>\n That is all . \n"

    assert read_in_pieces(list(text)).content == read_answer(text, NAMES, "j").content == "That is all ."


def test_json_that_is_no_call_is_told_as_it_comes() -> None:
    reader = ToolCallReader(NAMES, "j")

    assert reader.push('{"city": "Par').content == '{"city": "Par'
    assert reader.push('is"}').content == 'is"}'
    assert ToolCallReader(NAMES, "j").push('{"name": "Anna", "ag').content == '{"name": "Anna", "ag'
