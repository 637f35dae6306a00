"""The OpenAPI page's examples, each sent as it stands; ids are of things that the test has made before."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.stack import Stack

HELLO = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}


@dataclass(frozen=True)
class Operation:
    """One endpoint as the page describes it. `example` is None where it takes no body."""

    method: str
    path: str
    described: dict[str, Any]
    example: Any

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


@pytest.fixture(scope="module")
def operations(http: httpx.Client) -> list[Operation]:
    page = http.get("/openapi.json").json()
    return [
        Operation(method, path, described, _example(page, described))
        for path, methods in page["paths"].items()
        for method, described in methods.items()
    ]


def _example(page: dict[str, Any], described: dict[str, Any]) -> Any:
    if "requestBody" not in described:
        return None
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    (name,) = (each["$ref"].rsplit("/", 1)[1] for each in schema.get("anyOf", [schema]) if "$ref" in each)
    return page["components"]["schemas"][name].get("example")


def _made(http: httpx.Client, path: str, body: Any) -> Any:
    return http.post(path, json=body).raise_for_status().json()


def _ids(http: httpx.Client) -> dict[str, str]:
    """Of a session with a turn, a conversation with an item, a response and its job: fresh ones, one may be deleted."""
    session = _made(http, "/v1/sessions", {})["id"]
    http.post("/v1/chat/completions", json={**HELLO, "session_id": session}).raise_for_status()
    messages = http.get(f"/v1/sessions/{session}/messages").raise_for_status().json()["data"]
    conversation = _made(http, "/v1/conversations", {"items": [{"role": "user", "content": "Hello"}]})["id"]
    items = http.get(f"/v1/conversations/{conversation}/items").raise_for_status().json()["data"]
    asked = {"model": "drover-tiny", "input": "Hello", "max_output_tokens": 8, "background": True}
    answer = http.post("/v1/responses", json=asked).raise_for_status()
    return {
        "model": "drover-tiny",
        "session_id": session,
        "message_id": messages[-1]["id"],
        "conversation_id": conversation,
        "item_id": items[0]["id"],
        "response_id": answer.json()["id"],
        "job_id": answer.headers["x-job-id"],
    }


def test_every_endpoint_has_a_summary_a_description_and_an_example_of_its_body(operations: list[Operation]) -> None:
    without = [
        (str(operation), name)
        for operation in operations
        for name in ("summary", "description")
        if not operation.described.get(name)
    ]
    without += [(str(each), "example") for each in operations if "requestBody" in each.described and not each.example]

    assert len(operations) > 30
    assert without == []


def test_every_example_works_as_it_stands(http: httpx.Client, operations: list[Operation]) -> None:
    failed = {}

    for operation in operations:
        ids = _ids(http)
        body = operation.example
        if body is not None and "message_id" in body:
            body = {**body, "message_id": ids["message_id"]}
        answer = http.request(operation.method, operation.path.format(**ids), json=body)
        if answer.status_code != 200 or "event: error" in answer.text or '"error":{' in answer.text:
            failed[str(operation)] = (answer.status_code, answer.text[:300])

    assert failed == {}
