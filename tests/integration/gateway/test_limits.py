from typing import Any

import httpx

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions, StartGateway

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}


def test_the_headers_tell_what_is_left_and_the_limit_is_a_429(
    gateway: str, sessions: Sessions, worker: ScriptedWorker
) -> None:
    headers = {"Authorization": f"Bearer {sessions.key(requests_per_minute=2)}"}
    with httpx.Client(base_url=gateway, headers=headers) as http:
        allowed = [http.post(URL, json=HELLO) for _ in range(2)]
        refused = http.post(URL, json=HELLO)

    assert [answer.status_code for answer in allowed] == [200, 200]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in allowed] == ["1", "0"]
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["x-ratelimit-limit-requests"] == "2"


def test_concurrent_jobs_are_limited_and_set_free(gateway: str, sessions: Sessions, worker: ScriptedWorker) -> None:
    headers = {"Authorization": f"Bearer {sessions.key(concurrent_jobs=1)}"}
    worker.gate.clear()
    with httpx.Client(base_url=gateway, headers=headers, timeout=20) as http:
        with http.stream("POST", URL, json={**HELLO, "stream": True}) as holding:
            refused = http.post(URL, json=HELLO)
            worker.gate.set()
            holding.read()
        again = http.post(URL, json=HELLO)

    assert refused.status_code == 429
    assert again.status_code == 200


def test_a_full_queue_is_a_503_with_retry_after(start_gateway: StartGateway, api_key: str) -> None:
    headers = {"Authorization": f"Bearer {api_key}"}
    with (
        httpx.Client(base_url=start_gateway(max_queued_jobs=1), headers=headers) as http,
        http.stream("POST", URL, json={**HELLO, "stream": True}) as waiting,
    ):
        assert waiting.status_code == 200
        refused = http.post(URL, json=HELLO)

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "queue_full"
    assert int(refused.headers["retry-after"]) >= 1
