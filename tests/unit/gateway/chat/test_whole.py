import json
from typing import Any

from gateway.chat.whole import WholeChat
from gateway.follow import Ended
from gateway.heading import Heading
from shared.events import ChoiceEnd, FinalEvent, FinishReason, TokenLogprob, TokensEvent, Usage
from shared.job import AnswerForm

HEADING = Heading("j1", "m%d", 1700000000, "fp_x")


def ended(reason: FinishReason = "stop", text: str = "", *others: ChoiceEnd) -> Ended:
    return Ended(FinalEvent("j1", 3, 1, reason, text, Usage(7, 3, 2), None, others), None)


def told(surface: WholeChat, end: Ended) -> Any:
    return json.loads(surface.answer(end))


def test_a_whole_completion_has_openais_shape() -> None:
    surface = WholeChat(HEADING)

    surface.add([TokensEvent("j1", 1, 1, [5], ["H"])])

    assert told(surface, ended("length", "i")) == {
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


def test_the_texts_of_several_choices_are_kept_apart() -> None:
    surface = WholeChat(Heading("j1", "m", 1, "fp", form=AnswerForm(choices=3)))

    surface.add([TokensEvent("j1", 1, 1, [5, 6, 7], ["a", "b", "A"], [0, 1, 0])])

    choices = told(surface, ended("stop", "", ChoiceEnd("length", "B"), ChoiceEnd("stop", "")))["choices"]
    assert [choice["message"]["content"] for choice in choices] == ["aA", "bB", ""]
    assert [choice["finish_reason"] for choice in choices] == ["stop", "length", "stop"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]


def test_logprobs_go_to_the_choice_of_their_token() -> None:
    surface = WholeChat(Heading("j1", "m", 1, "fp", form=AnswerForm(choices=2)))
    places = [[TokenLogprob(5, -0.1, b"a")], [TokenLogprob(6, -0.2, b"b")]]

    surface.add([TokensEvent("j1", 1, 1, [5, 6], ["a", "b"], [1, 0], places)])

    choices = told(surface, ended("stop", "", ChoiceEnd("stop", "")))["choices"]
    assert [choice["logprobs"]["content"][0]["token"] for choice in choices] == ["b", "a"]
    assert choices[0]["logprobs"]["refusal"] is None


def test_a_token_without_logprobs_is_left_out_of_them() -> None:
    surface = WholeChat(Heading("j1", "m", 1, "fp", form=AnswerForm(choices=2)))
    places = [[TokenLogprob(5, -0.1, b"a")], [], []]

    surface.add([TokensEvent("j1", 1, 1, [5, 2, 2], ["a", "", ""], [0, 1, 0], places)])

    choices = told(surface, ended("stop", "", ChoiceEnd("stop", "")))["choices"]
    assert [len(choice["logprobs"]["content"]) for choice in choices] == [1, 0]


def test_a_cancelled_answer_says_that_it_is_not_whole() -> None:
    body = told(WholeChat(HEADING), ended("cancelled"))

    assert body["choices"][0]["finish_reason"] == "length"
    assert body["drover"] == {"cancelled": True}
