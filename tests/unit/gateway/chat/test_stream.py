import json
from typing import Any

from gateway.chat.stream import ChatStream
from gateway.follow import Ended
from gateway.heading import Heading
from shared.bodies.turns import Truncation
from shared.events import ChoiceEnd, FinalEvent, FinishReason, TokenLogprob, TokensEvent, Usage
from shared.job import AnswerForm

HEADING = Heading("j1", "m%d", 1700000000, "fp_x")
HEAD = (
    b'{"id":"chatcmpl-j1","object":"chat.completion.chunk","created":1700000000,"model":"m%d",'
    b'"system_fingerprint":"fp_x","choices":['
)


def tokens(first_seq: int, *texts: str) -> TokensEvent:
    return TokensEvent("j1", first_seq, 1, list(range(len(texts))), list(texts))


def ended(reason: FinishReason = "stop", *, text: str = "", is_persisted: bool | None = None) -> Ended:
    return Ended(FinalEvent("j1", 3, 1, reason, text, Usage(7, 3, 2)), is_persisted)


def data_of(frames: bytes) -> list[Any]:
    lines = [line[6:] for line in frames.decode().split("\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_the_first_chunk_tells_the_role() -> None:
    assert ChatStream(HEADING).opening() == (
        b"id: 0\ndata: " + HEAD + b'{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,'
        b'"finish_reason":null}]}\n\n'
    )


def test_an_event_is_one_chunk_with_the_seq_of_its_last_token_as_id() -> None:
    assert ChatStream(HEADING).tokens([tokens(4, 'a"', "\n", "é%")]) == (
        b"id: 6\ndata: " + HEAD + b'{"index":0,"delta":{"content":"a\\"\\n\xc3\xa9%"},"logprobs":null,'
        b'"finish_reason":null}]}\n\n'
    )


def test_an_event_whose_text_is_held_back_is_no_chunk() -> None:
    assert ChatStream(HEADING).tokens([tokens(1, "", "")]) == b""


def test_the_last_chunk_has_the_finish_reason_and_an_empty_delta() -> None:
    assert ChatStream(HEADING).closing(ended()) == (
        b"id: 4\ndata: " + HEAD + b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )


def test_text_that_was_held_back_comes_before_the_end_with_an_id_of_its_own() -> None:
    writer = ChatStream(HEADING)

    frames = writer.closing(ended(text="tail"))

    assert frames.startswith(b"id: 4\n")
    assert data_of(frames)[0]["choices"][0]["delta"] == {"content": "tail"}
    assert b"tail" in ChatStream(HEADING, after_seq=3).closing(ended(text="tail"))
    assert b"tail" not in ChatStream(HEADING, after_seq=4).closing(ended(text="tail"))


def test_usage_is_null_until_a_chunk_without_choices_tells_it() -> None:
    writer = ChatStream(Heading("j1", "m", 1, "fp", has_usage=True))

    chunks = data_of(writer.opening() + writer.tokens([tokens(1, "a")]) + writer.closing(ended()))

    assert [chunk["usage"] for chunk in chunks[:-2]] == [None, None, None]
    assert chunks[-2]["choices"] == []
    assert chunks[-2]["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 2},
    }
    assert chunks[-1] == "[DONE]"


def test_what_was_dropped_or_not_stored_is_told_in_the_last_chunk() -> None:
    truncated = Heading("j1", "m", 1, "fp", "s1", Truncation(dropped_messages=2, dropped_tokens=30))

    last = data_of(ChatStream(truncated).closing(ended(is_persisted=False)))[0]

    assert last["drover"] == {"truncation": {"dropped_messages": 2, "dropped_tokens": 30}, "persisted": False}
    assert "drover" not in data_of(ChatStream(HEADING).closing(ended(is_persisted=True)))[0]


def test_a_cancelled_job_ends_with_a_reason_that_clients_know_and_says_so() -> None:
    last = data_of(ChatStream(HEADING).closing(ended("cancelled")))[0]

    assert last["choices"][0]["finish_reason"] == "length"
    assert last["drover"] == {"cancelled": True}


def test_the_tier_is_told_to_who_asked_for_one() -> None:
    writer = ChatStream(Heading("j1", "m", 1, "fp", tier="flex"))

    assert [chunk["service_tier"] for chunk in data_of(writer.opening() + writer.tokens([tokens(1, "a")]))] == [
        "flex",
        "flex",
    ]
    assert "service_tier" not in data_of(ChatStream(HEADING).opening())[0]


def chosen(*choices: int) -> TokensEvent:
    texts = [str(choice) for choice in choices]
    return TokensEvent("j1", 1, 1, list(range(len(texts))), texts, list(choices))


def test_each_run_of_a_choice_is_a_chunk_with_its_index_and_its_last_seq() -> None:
    frames = ChatStream(HEADING).tokens([chosen(0, 0, 1, 0)])

    told = [(chunk["choices"][0]["index"], chunk["choices"][0]["delta"]["content"]) for chunk in data_of(frames)]
    assert told == [(0, "00"), (1, "1"), (0, "0")]
    assert [line for line in frames.split(b"\n") if line.startswith(b"id")] == [b"id: 2", b"id: 3", b"id: 4"]


def test_each_choice_has_its_role_its_held_text_and_one_finish_chunk() -> None:
    writer = ChatStream(Heading("j1", "m", 1, "fp", form=AnswerForm(choices=2)))
    final = FinalEvent("j1", 4, 1, "stop", "tail0", Usage(), None, (ChoiceEnd("length", "tail1"),))

    opening, closing = data_of(writer.opening()), writer.closing(Ended(final, None))

    assert [chunk["choices"][0]["index"] for chunk in opening] == [0, 1]
    told = [chunk["choices"][0] for chunk in data_of(closing)[:-1]]
    assert [choice["delta"] for choice in told] == [{"content": "tail0"}, {"content": "tail1"}, {}, {}]
    assert [choice["finish_reason"] for choice in told] == [None, None, "stop", "length"]
    assert [choice["index"] for choice in told] == [0, 1, 0, 1]


def test_a_caller_between_two_held_texts_gets_only_the_second() -> None:
    writer = ChatStream(Heading("j1", "m", 1, "fp", form=AnswerForm(choices=2)), after_seq=5)
    final = FinalEvent("j1", 4, 1, "stop", "tail0", Usage(), None, (ChoiceEnd("length", "tail1"),))

    closing = writer.closing(Ended(final, None))

    assert b"tail0" not in closing
    assert b"tail1" in closing


def test_a_job_of_several_choices_that_was_cancelled_from_outside_ends_all_of_them() -> None:
    writer = ChatStream(HEADING)
    writer.tokens([chosen(0, 1, 2)])

    told = data_of(writer.closing(ended("cancelled")))[:-1]

    assert [(chunk["choices"][0]["index"], chunk["choices"][0]["finish_reason"]) for chunk in told] == [
        (0, "length"),
        (1, "length"),
        (2, "length"),
    ]


def test_logprobs_have_openais_shape_also_for_a_token_whose_text_is_held_back() -> None:
    places = [TokenLogprob(7, -0.5, b"\xe2\x82"), TokenLogprob(8, -1.5, b"a")]
    event = TokensEvent("j1", 1, 1, [7], [""], None, [places])

    choice = data_of(ChatStream(HEADING).tokens([event]))[0]["choices"][0]

    assert choice["delta"] == {"content": ""}
    assert choice["logprobs"] == {
        "content": [
            {
                "token": "\ufffd",
                "logprob": -0.5,
                "bytes": [0xE2, 0x82],
                "top_logprobs": [{"token": "a", "logprob": -1.5, "bytes": [97]}],
            }
        ],
        "refusal": None,
    }


def test_tokens_without_logprobs_are_left_out_of_them() -> None:
    places = [TokenLogprob(7, -0.5, b"a")]
    echoed = TokensEvent("j1", 1, 1, [5, 7], ["<s>", "a"], None, [[], places])

    choice = data_of(ChatStream(HEADING).tokens([echoed]))[0]["choices"][0]

    assert choice["delta"] == {"content": "<s>a"}
    assert [told["token"] for told in choice["logprobs"]["content"]] == ["a"]


def test_the_token_that_ends_a_choice_is_no_chunk_of_its_own() -> None:
    end = TokensEvent("j1", 4, 1, [2], [""], [1], [[]])

    assert ChatStream(Heading("j1", "m", 1, "fp", form=AnswerForm(choices=2))).tokens([end]) == b""
