"""Whatever is sent, the answer has OpenAI's shape and the right status, and no job comes of it."""

import json
from typing import Any

import httpx
import pytest
import redis

from tests.integration.gateway.conftest import Sessions, StartGateway

URL = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]
HALF_A_PAIR = rb'{"model": "drover-tiny", "messages": [{"role": "user", "content": "\ud800"}]}'


def refused(answer: httpx.Response, status: int, code: str, param: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"]


@pytest.fixture(autouse=True)
def _no_job_comes_of_it(redis_url: str, http: httpx.Client) -> Any:
    yield
    with redis.Redis.from_url(redis_url) as client:
        assert not list(client.scan_iter("job:*"))


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"model": "m", "messages": [}', HALF_A_PAIR]
)
def test_malformed_json_is_a_400(http: httpx.Client, body: bytes) -> None:
    answer = http.post(URL, content=body, headers={"Content-Type": "application/json"})

    refused(answer, 400, "invalid_request_error")


def test_deeply_nested_json_is_a_400(http: httpx.Client) -> None:
    body = b'{"model": "m", "messages": ' + b"[" * 100_000

    answer = http.post(URL, content=body, headers={"Content-Type": "application/json"})

    refused(answer, 400, "invalid_request_error")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"stream": "maybe"}, "stream"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"n": 17}, "n"),
        ({"n": 2, "session_id": "s"}, "n"),
        ({"tools": [{"type": "custom"}]}, "tools.0.type"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"$ref": "#"}}}},
            "response_format.json_schema.schema",
        ),
        ({"logprobs": "yes"}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 200}}, "logit_bias.5"),
        ({"grammar": 'root ::= "a"'}, "grammar"),
        ({"min_tokens": 9, "max_tokens": 8}, "min_tokens"),
        ({"mirostat": 7}, "mirostat"),
    ],
)
def test_a_wrong_field_is_a_400_that_names_it(http: httpx.Client, fields: dict[str, Any], param: str) -> None:
    body = json.dumps({"model": "drover-tiny", "messages": HELLO, **fields})

    answer = http.post(URL, content=body, headers={"Content-Type": "application/json"})

    refused(answer, 400, "invalid_request_error", param)


def test_an_unknown_model_is_a_404(http: httpx.Client) -> None:
    refused(http.post(URL, json={"model": "gpt-9", "messages": HELLO}), 404, "model_not_found", "model")


def test_an_embedding_model_cannot_chat(http: httpx.Client) -> None:
    answer = http.post(URL, json={"model": "all-minilm-l6-v2", "messages": HELLO})

    refused(answer, 400, "invalid_request_error", "model")


def test_a_prompt_without_room_for_an_answer_is_a_400_with_the_numbers(http: httpx.Client) -> None:
    long = [{"role": "user", "content": "one two three " * 400}]

    answer = http.post(URL, json={"model": "drover-tiny", "messages": long, "stream": True})

    refused(answer, 400, "context_length_exceeded", "messages")
    assert "512" in answer.json()["error"]["message"]


def test_a_session_that_does_not_exist_is_a_404(http: httpx.Client) -> None:
    body = {"model": "drover-tiny", "messages": HELLO, "session_id": "sess_nothing"}

    refused(http.post(URL, json=body), 404, "session_not_found")


@pytest.mark.parametrize("text", ["\0", "\x7f\u2028\ufeff", "\U0001f600"])
def test_odd_characters_in_a_session_never_are_a_500(http: httpx.Client, text: str) -> None:
    answer = http.post("/v1/sessions", json={"title": text, "system": text, "metadata": {"a": text}})

    assert answer.status_code in (200, 400), answer.text


def test_a_body_over_the_limit_is_a_413(start_gateway: StartGateway, api_key: str) -> None:
    gateway = start_gateway(max_body_bytes=10_000)
    headers = {"Authorization": f"Bearer {api_key}"}

    announced = httpx.post(gateway + URL, json={"x": "x" * 20_000}, headers=headers)
    chunked = httpx.post(gateway + URL, content=iter([b"x" * 6000] * 3), headers=headers)

    refused(announced, 413, "request_too_large")
    refused(chunked, 413, "request_too_large")


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer drv_0_0", "Basic Zm9v", "Bearer", "Bearer é"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/jobs/x", "/v1/sessions"])
def test_a_missing_or_wrong_key_is_a_401(gateway: str, header: str | None, path: str) -> None:
    headers = {"Authorization": header.encode()} if header is not None else {}

    refused(httpx.get(gateway + path, headers=headers), 401, "invalid_api_key")


def test_a_key_that_may_only_read_is_a_403_where_something_is_made(gateway: str, sessions: Sessions) -> None:
    reader = {"Authorization": f"Bearer {sessions.key(role='read-only')}"}

    asked = httpx.post(gateway + URL, json={"model": "drover-tiny", "messages": HELLO}, headers=reader)

    refused(asked, 403, "permission_denied")
    assert httpx.get(f"{gateway}/v1/models", headers=reader).status_code == 200


def test_a_wrong_address_or_method_has_openais_shape(http: httpx.Client) -> None:
    refused(http.get("/v1/nothing-here"), 404, "not_found")
    refused(http.put(URL), 405, "invalid_request_error")
    assert http.post("/internal/keys/verify", json={"api_key": "x"}).status_code == 404
