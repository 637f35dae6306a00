from collections.abc import Iterator
from typing import Any

import pytest

from cli.bench.outcome import BROKEN_STREAM, DOUBLED_IDS, MISSING_IDS, NO_CONNECTION, TIMED_OUT
from tests.fakes.openai_server import TOKENS, openai_server
from tests.load.plain_client import PlainClient


@pytest.fixture
def url() -> Iterator[str]:
    with openai_server() as address:
        client = PlainClient(address, "none", timeout_s=5)
        client.stream(body("good"))  # the server's first answer is always good
        client.close()
        yield address


def body(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": True}


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("good", ""),
        ("broken", BROKEN_STREAM),
        ("doubled", DOUBLED_IDS),
        ("missing", MISSING_IDS),
        ("refusing", "429 rate_limit_exceeded"),
        ("failing", "in the stream: worker_lost"),
    ],
)
def test_every_kind_of_answer_has_its_class(url: str, model: str, error: str) -> None:
    client = PlainClient(f"{url}/v1", "none", timeout_s=5)

    outcome, after = client.stream(body(model)), client.stream(body("good"))
    client.close()

    assert (outcome.error, outcome.tokens > 0) == (error, model != "refusing")
    assert (after.error, after.tokens) == ("", TOKENS)


def test_a_silent_server_times_out(url: str) -> None:
    client = PlainClient(url, "none", timeout_s=0.005)

    outcome = client.stream(body("endless"))
    client.close()

    assert outcome.error == TIMED_OUT


def test_where_nobody_listens_there_is_no_connection() -> None:
    client = PlainClient("http://127.0.0.1:9", "none", timeout_s=5)

    outcome, (called, answer) = client.stream(body("good")), client.call("GET", "/v1/models")

    assert (outcome.error, called.error, answer) == (NO_CONNECTION, NO_CONNECTION, {})


def test_models_are_listed(url: str) -> None:
    client = PlainClient(url, "none", timeout_s=5)

    outcome, answer = client.call("GET", "/v1/models")
    client.close()

    assert (outcome.error, [model["id"] for model in answer["data"]]) == ("", ["bert", "good"])
