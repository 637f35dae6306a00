"""What a caller gets while a service behind the gateway is away: a quick 503, never a 200."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions, StartGateway, is_ready
from tests.integration.gateway.waiting import until
from tests.servers import free_port

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(params=["refuses", "is silent"])
def broken(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that refuses connections, or takes them and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        if request.param == "refuses":
            listener.close()
        yield address


def asked(gateway: str, api_key: str, path: str = URL, body: dict[str, Any] | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {api_key}"}
    return httpx.post(gateway + path, json=body or HELLO, headers=headers, timeout=20)


def test_without_redis_a_request_is_a_503(start_gateway: StartGateway, api_key: str, broken: str) -> None:
    answer = asked(start_gateway(redis_url=f"redis://{broken}/0"), api_key)

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "service_unavailable"
    assert answer.headers["retry-after"] == "1"


def test_without_the_session_service_an_unknown_key_is_a_503(
    start_gateway: StartGateway, api_key: str, broken: str
) -> None:
    answer = asked(start_gateway(session_service_url=f"http://{broken}"), api_key)

    assert answer.status_code == 503
    assert "session service" in answer.json()["error"]["message"]


def test_a_wrong_internal_token_is_the_operators_fault_and_not_the_callers(
    start_gateway: StartGateway, api_key: str
) -> None:
    answer = asked(start_gateway(internal_token=SecretStr("wrong")), api_key)

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_error"


def test_without_the_embedding_service_embeddings_are_a_503(start_gateway: StartGateway, api_key: str) -> None:
    gateway = start_gateway(embedding_service_url=f"http://127.0.0.1:{free_port()}")

    answer = asked(gateway, api_key, "/v1/embeddings", {"model": "all-minilm-l6-v2", "input": "Hello"})

    assert answer.status_code == 503


def test_readiness_names_what_is_missing(
    start_gateway: StartGateway, sessions: Sessions, worker: ScriptedWorker
) -> None:
    whole, broken = start_gateway(), start_gateway(redis_url=f"redis://127.0.0.1:{free_port()}")

    until(lambda: is_ready(whole))  # the session service finds its emptied Redis again first
    answer = httpx.get(f"{broken}/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["session_service"] == "ok"
    assert "ledger" in answer.json()["checks"]["redis"]


def test_without_a_worker_the_gateway_is_not_ready(gateway: str) -> None:
    answer = httpx.get(f"{gateway}/readyz")

    assert answer.status_code == 503
    assert "worker" in answer.json()["checks"]["workers"]
    assert httpx.get(f"{gateway}/livez").status_code == 200
