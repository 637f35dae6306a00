from typing import Any

import pytest
from pydantic import ValidationError

from gateway.text.body import CompletionBody


def read(**fields: Any) -> CompletionBody:
    return CompletionBody.model_validate({"model": "m", "prompt": "Once", **fields})


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("Once", ["Once"]),
        ("", [""]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [(1, 2)]),
        ([[1, 2], [3]], [(1, 2), (3,)]),
    ],
)
def test_every_form_of_prompt_is_read(prompt: Any, prompts: list[Any]) -> None:
    assert read(prompt=prompt).prompts == prompts


@pytest.mark.parametrize("prompt", [[], [[]], [1, "a"], [True], [-1], [2**31], None, 7, [["a"]], {}])
def test_what_is_no_prompt_is_refused(prompt: Any) -> None:
    with pytest.raises(ValidationError):
        read(prompt=prompt)


@pytest.mark.parametrize(
    "fields",
    [
        {"best_of": 2},
        {"n": 2, "best_of": 3},
        {"echo": True, "suffix": "x"},
        {"max_tokens": 0},
        {"logprobs": 21},
        {"logprobs": True},
    ],
)
def test_what_cannot_be_honoured_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**fields)


def test_an_answer_has_16_tokens_unless_asked_otherwise() -> None:
    assert read().ask("Once").max_tokens == 16
    assert read(max_tokens=0, echo=True).ask("Once").max_tokens == 0


def test_best_of_as_many_as_wanted_is_nothing_special() -> None:
    assert read(n=2, best_of=2).ask("Once").choices == 2


def test_what_is_asked_is_a_raw_prompt() -> None:
    ask = read(stop="x", logprobs=2, grammar='root ::= "a"').ask("Once")

    assert (ask.api, ask.prompt, ask.messages, ask.stop, ask.top_logprobs) == ("completions", "Once", (), ("x",), 2)
    assert ask.constraint is not None
    assert ask.constraint.kind == "gbnf"
