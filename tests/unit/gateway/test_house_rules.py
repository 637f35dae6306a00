from typing import Any

import pytest

from gateway.chat.body import ChatCompletionBody
from gateway.house_rules import HouseRules
from shared.errors import BadRequestError

STRICT = HouseRules(max_choices=4, allows_grammar=False)
OPEN = HouseRules(max_choices=128, allows_grammar=True)


def body(**fields: Any) -> ChatCompletionBody:
    return ChatCompletionBody.model_validate(
        {"model": "m", "messages": [{"role": "user", "content": "Hello"}], **fields}
    )


@pytest.mark.parametrize(
    ("rules", "fields", "param"),
    [
        (STRICT, {"n": 5}, "n"),
        (STRICT, {"n": 2, "session_id": "s"}, "n"),
        (STRICT, {"grammar": 'root ::= "a"'}, "grammar"),
        (OPEN, {"min_tokens": 5, "max_tokens": 4}, "min_tokens"),
    ],
)
def test_what_is_not_allowed_is_a_400_that_names_the_field(
    rules: HouseRules, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(BadRequestError) as refused:
        rules.check(body(**fields).ask())

    assert refused.value.param == param


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 4},
        {"n": 1, "session_id": "s"},
        {"min_tokens": 4, "max_tokens": 4},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_what_is_allowed_passes(fields: dict[str, Any]) -> None:
    STRICT.check(body(**fields).ask())


def test_a_grammar_is_taken_where_the_operator_allows_it() -> None:
    asked = body(grammar='root ::= "a"', response_format={"type": "text"})

    OPEN.check(asked.ask())

    assert asked.constraint is not None
    assert asked.constraint.kind == "gbnf"
