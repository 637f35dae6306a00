from typing import Annotated, Any, Literal

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.errors import BadRequestError
from shared.http.validation import bad_request


class Part(BaseModel):
    type: Literal["text"]
    text: str


class Message(BaseModel):
    role: Literal["user", "assistant"]
    content: str | list[Part]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    messages: list[Message] = Field(min_length=1)
    temperature: float = Field(default=1.0, ge=0, le=2)
    inputs: str | Annotated[list[str], Field(max_length=3)] | list[list[int]] = ""
    name: str = ""

    @field_validator("name")
    @classmethod
    def check_name(cls, name: str) -> str:
        if name == "nobody":
            raise ValueError("Somebody must be named.")
        return name


GOOD = {"role": "user", "content": "Hi"}


def refusal(body: Any) -> BadRequestError:
    """What the caller is told about `body`, as FastAPI would report it."""
    with pytest.raises(ValidationError) as caught:
        Body.model_validate(body)
    details = [{**detail, "loc": ("body", *detail["loc"])} for detail in caught.value.errors()]
    return bad_request(RequestValidationError(details, body=body))


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "messages", "Missing required parameter: 'messages'."),
        ({"messages": [{"content": "Hi"}]}, "messages.0.role", "Missing required parameter: 'messages.0.role'."),
        ({"messages": [GOOD], "mesages": 1}, "mesages", "Unknown parameter: 'mesages'."),
        (
            {"messages": [GOOD], "temperature": 3},
            "temperature",
            "Invalid value for 'temperature': input should be less than or equal to 2.",
        ),
        (
            {"messages": [GOOD, {"role": "user", "content": 5}]},
            "messages.1.content",
            "Invalid value for 'messages.1.content': input should be a valid string; or input should be a valid list.",
        ),
        ({"messages": [GOOD], "name": "nobody"}, "name", "Invalid value for 'name': somebody must be named."),
    ],
)
def test_the_field_and_what_is_wrong_with_it_are_named(body: Any, param: str, message: str) -> None:
    error = refusal(body)

    assert (error.param, error.message) == (param, message)


@pytest.mark.parametrize(
    ("inputs", "param"),
    [(["a", 5], "inputs.1"), ([[1], "a"], "inputs.1"), ([[1], [2, "a"]], "inputs.1.1"), (5, "inputs"), ({}, "inputs")],
)
def test_in_a_union_the_member_that_fitted_best_is_meant(inputs: Any, param: str) -> None:
    assert refusal({"messages": [GOOD], "inputs": inputs}).param == param


def test_a_list_that_is_too_long_is_called_so() -> None:
    error = refusal({"messages": [GOOD], "inputs": ["a"] * 4})

    assert error.message == "Invalid value for 'inputs': list should have at most 3 items after validation, not 4."


def test_a_missing_field_inside_a_union_is_found() -> None:
    error = refusal({"messages": [{"role": "user", "content": [{"type": "text"}]}]})

    assert (error.param, error.message) == (
        "messages.0.content.0.text",
        "Missing required parameter: 'messages.0.content.0.text'.",
    )


def test_what_was_sent_is_not_repeated() -> None:
    error = refusal({"messages": [{"role": "my secret", "content": 5}]})

    assert "secret" not in error.message


def test_a_body_that_is_no_object_is_explained() -> None:
    details = [{"type": "model_attributes_type", "loc": ("body",), "msg": "Input should be a dictionary"}]

    error = bad_request(RequestValidationError(details, body=[]))

    assert "JSON object" in error.message
    assert error.param is None


def test_malformed_json_is_explained() -> None:
    details = [
        {"type": "json_invalid", "loc": ("body", 3), "msg": "JSON decode error", "ctx": {"error": "Expecting value"}}
    ]

    error = bad_request(RequestValidationError(details, body="{"))

    assert error.message == "The body is not valid JSON: Expecting value at character 3."


def test_a_query_parameter_is_named_by_itself() -> None:
    details = [{"type": "int_parsing", "loc": ("query", "limit"), "msg": "Input should be a valid integer"}]

    assert bad_request(RequestValidationError(details, body=None)).param == "limit"
