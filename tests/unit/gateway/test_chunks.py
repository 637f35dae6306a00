import json
from typing import Any

from gateway.chunks import ChunkWriter, Heading, whole_completion
from gateway.follow import Ended
from shared.bodies.turns import Truncation
from shared.events import FinalEvent, FinishReason, TokensEvent, Usage

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
    assert ChunkWriter(HEADING).opening() == (
        b"id: 0\ndata: " + HEAD + b'{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,'
        b'"finish_reason":null}]}\n\n'
    )


def test_an_event_is_one_chunk_with_the_seq_of_its_last_token_as_id() -> None:
    assert ChunkWriter(HEADING).tokens([tokens(4, 'a"', "\n", "é%")]) == (
        b"id: 6\ndata: " + HEAD + b'{"index":0,"delta":{"content":"a\\"\\n\xc3\xa9%"},"logprobs":null,'
        b'"finish_reason":null}]}\n\n'
    )


def test_an_event_whose_text_is_held_back_is_no_chunk() -> None:
    assert ChunkWriter(HEADING).tokens([tokens(1, "", "")]) == b""


def test_the_last_chunk_has_the_finish_reason_and_an_empty_delta() -> None:
    assert ChunkWriter(HEADING).closing(ended()) == (
        b"id: 4\ndata: " + HEAD + b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )


def test_text_that_was_held_back_comes_before_the_end_with_an_id_of_its_own() -> None:
    writer = ChunkWriter(HEADING)

    frames = writer.closing(ended(text="tail"))

    assert frames.startswith(b"id: 4\n")
    assert data_of(frames)[0]["choices"][0]["delta"] == {"content": "tail"}
    assert b"tail" not in writer.closing(ended(text="tail"), is_text_sent=True)


def test_usage_is_null_until_a_chunk_without_choices_tells_it() -> None:
    writer = ChunkWriter(Heading("j1", "m", 1, "fp", has_usage=True))

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

    last = data_of(ChunkWriter(truncated).closing(ended(is_persisted=False)))[0]

    assert last["drover"] == {"truncation": {"dropped_messages": 2, "dropped_tokens": 30}, "persisted": False}
    assert "drover" not in data_of(ChunkWriter(HEADING).closing(ended(is_persisted=True)))[0]


def test_a_whole_completion_has_openais_shape() -> None:
    assert json.loads(whole_completion(HEADING, "Hi", ended("length"))) == {
        "id": "chatcmpl-j1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m%d",
        "system_fingerprint": "fp_x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "length",
            }
        ],
        "usage": {
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 2},
        },
    }
