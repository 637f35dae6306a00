"""docs/fields.md says what the code does."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.anthropic.body import MessagesBody
from gateway.ask import Ask
from gateway.chat.body import ChatCompletionBody
from gateway.responses.body import CreateResponseBody
from gateway.text.body import CompletionBody
from scripts.fields import APIS, ROOT, Api, Standing, page, schemas, standing_of

HELLO = [{"role": "user", "content": "Hello"}]
Body = ChatCompletionBody | CompletionBody | CreateResponseBody | MessagesBody
REQUESTS: dict[str, tuple[type[Body], dict[str, Any]]] = {
    "ChatCompletionBody": (ChatCompletionBody, {"model": "m", "messages": HELLO}),
    "CompletionBody": (CompletionBody, {"model": "m", "prompt": "Hello"}),
    "CreateResponseBody": (CreateResponseBody, {"model": "m", "input": "Hello"}),
    "MessagesBody": (MessagesBody, {"model": "m", "messages": HELLO, "max_tokens": 8}),
}
"""The least of each. Embeddings have none: their body is passed on as it is."""

ASKING_FOR_SOMETHING: dict[str, Any] = {"reasoning": {"effort": "high"}, "thinking": {"type": "enabled"}}
VALUES: tuple[Any, ...] = ("x", {"a": "b"}, 3, {"include_obfuscation": True})
"""One of these is of the type of every ignored field."""

SCHEMAS = schemas()


def fields(standing: Standing) -> list[Any]:
    return [
        pytest.param(api, name, id=f"{api.path} {name}")
        for api in APIS
        for name in api.names
        if standing_of(SCHEMAS[api.body]["properties"][name])[0] == standing and api.body in REQUESTS
    ]


def wanted(api: Api, **given: Any) -> Ask:
    """What is asked, without what a response repeats of its request."""
    model, least = REQUESTS[api.body]
    body = model.model_validate({**least, **given})
    ask = body.ask("Hello") if isinstance(body, CompletionBody) else body.ask()
    return replace(ask, turn=None)


def is_of_the_type(api: Api, name: str, value: Any) -> bool:
    try:
        wanted(api, **{name: value})
    except ValidationError:
        return False
    return True


def test_the_page_is_written_from_the_code() -> None:
    written = (ROOT / "docs" / "fields.md").read_text(encoding="utf-8")

    assert written == page(), "make fields"


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.path)
def test_every_field_of_theirs_stands_on_the_openapi_page(api: Api) -> None:
    assert set(api.names) - set(SCHEMAS[api.body]["properties"]) == set()


@pytest.mark.parametrize(("api", "name"), fields("refused"))
def test_a_refused_field_is_refused_by_its_name(api: Api, name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        wanted(api, **{name: ASKING_FOR_SOMETHING.get(name, {"type": "x"})})

    assert refused.value.errors()[0]["loc"][0] == name


@pytest.mark.parametrize(("api", "name"), fields("ignored"))
def test_an_ignored_field_changes_nothing(api: Api, name: str) -> None:
    (value, *_) = [value for value in VALUES if is_of_the_type(api, name, value)]

    asked = wanted(api, **{name: value})

    assert asked == wanted(api)
