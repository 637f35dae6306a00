"""What a caller gets while a service behind the gateway is away: a quick 503, never a 200."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions, StartGateway, is_ready
from tests.integration.gateway.sse_reader import finish_of, frames, text_of
from tests.integration.gateway.valve import Valve
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


@pytest.fixture
def valve(redis_url: str) -> Iterator[Valve]:
    """The gateway's way to Redis; the worker has its own."""
    address = urlsplit(redis_url)
    made = Valve(str(address.hostname), address.port or 6379)
    yield made
    made.close()


def broken_by(valve: Valve, how: str) -> AbstractContextManager[None]:
    return valve.frozen() if how == "hangs" else valve.cut()


@pytest.mark.parametrize("how", ["hangs", "is dead"])
def test_while_redis_is_away_new_requests_are_refused_and_later_taken_again(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker, valve: Valve, how: str
) -> None:
    gateway = start_gateway(redis_url=f"redis://127.0.0.1:{valve.port}/0")
    assert asked(gateway, api_key).status_code == 200

    with broken_by(valve, how):
        refused = [asked(gateway, api_key) for _ in range(2)]

    assert {answer.status_code for answer in refused} == {503}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    until(lambda: asked(gateway, api_key).status_code == 200, timeout_s=5)


@pytest.mark.parametrize("how", ["hangs", "is dead"])
def test_a_stream_that_is_open_while_redis_is_away_goes_on_without_loss(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker, valve: Valve, how: str
) -> None:
    worker.texts, worker.pause_s = [f"{number} " for number in range(60)], 0.01
    gateway = start_gateway(redis_url=f"redis://127.0.0.1:{valve.port}/0")
    headers = {"Authorization": f"Bearer {api_key}"}
    with (
        httpx.Client(base_url=gateway, headers=headers, timeout=20) as http,
        http.stream("POST", URL, json={**HELLO, "stream": True}) as response,
    ):
        arriving = frames(response)
        read = [next(arriving) for _ in range(5)]
        with broken_by(valve, how):
            until(lambda: list(worker.ended.values()) == ["stop"])
        read += list(arriving)

    assert text_of(read) == "".join(worker.texts)
    assert finish_of(read) == "stop"


def test_a_known_key_gets_in_while_the_session_service_hangs(
    start_gateway: StartGateway, sessions: Sessions, api_key: str, worker: ScriptedWorker
) -> None:
    address = urlsplit(sessions.url)
    valve = Valve(str(address.hostname), address.port or 80)
    gateway = start_gateway(
        session_service_url=f"http://127.0.0.1:{valve.port}", key_check_timeout_s=0.3, session_timeout_s=0.3
    )
    assert asked(gateway, api_key).status_code == 200

    with valve.frozen():
        known = asked(gateway, api_key)
        unknown = asked(gateway, sessions.key())
        turn = asked(gateway, api_key, body={**HELLO, "session_id": "sess_x"})

    valve.close()
    assert known.status_code == 200
    assert unknown.status_code == turn.status_code == 503
    assert unknown.headers["retry-after"] == turn.headers["retry-after"] == "1"
