from typing import Any

import httpx

from shared.telemetry import configure_metrics
from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import StartGateway
from tests.integration.gateway.waiting import until

HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}


def test_the_root_names_the_product_and_its_docs(gateway: str) -> None:
    answer = httpx.get(gateway).json()

    assert answer["name"] == "Drover"
    assert httpx.get(gateway + answer["docs"]).status_code == 200


def test_health_counts_requests_and_shows_workers(http: httpx.Client, worker: ScriptedWorker) -> None:
    http.post("/v1/chat/completions", json=HELLO).raise_for_status()

    report = http.get("/health").json()

    assert report["status"] == "healthy"
    assert report["total_requests"] >= 1
    assert report["memory_usage_mb"] > 0
    assert report["workers"][0]["held_models"] == ["drover-tiny"]


def test_health_without_a_worker_is_degraded(gateway: str) -> None:
    assert httpx.get(f"{gateway}/health").json()["status"] == "degraded"


def test_engines_is_the_old_name_of_models(http: httpx.Client) -> None:
    listed = http.get("/v1/engines")

    assert listed.status_code == 308
    assert http.get("/v1/engines", follow_redirects=True).json() == http.get("/v1/models").json()
    assert http.get("/v1/engines/drover-tiny", follow_redirects=True).json()["id"] == "drover-tiny"


def test_the_metrics_name_the_route_and_the_queue(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker
) -> None:
    configure_metrics("gateway")
    with httpx.Client(base_url=start_gateway(), headers={"Authorization": f"Bearer {api_key}"}) as http:
        job_id = http.post("/v1/chat/completions", json=HELLO).headers["x-job-id"]
        http.get(f"/v1/jobs/{job_id}")
        http.get("/no/such/place")
        http.request("PROPFIND", "/v1/models")

        until(lambda: 'drover_queue_depth{queue="model.drover-tiny"}' in http.get("/metrics").text)
        shown = http.get("/metrics").text

    assert 'drover_requests_total{method="POST",route="/v1/chat/completions",status="200"}' in shown
    assert 'route="/v1/jobs/{job_id}"' in shown
    assert 'route="unmatched"' in shown
    assert 'method="other"' in shown
    assert "drover_time_to_first_token_seconds_count" in shown
    assert "drover_queue_oldest_age_seconds" in shown
    assert job_id not in shown


def test_a_request_keeps_its_callers_id_if_it_is_a_plain_word(http: httpx.Client) -> None:
    kept = http.get("/v1/models", headers={"x-request-id": "abc-1"})
    replaced = http.get("/v1/models", headers={"x-request-id": "a b\t{}"})

    assert kept.headers["x-request-id"] == "abc-1"
    assert replaced.headers["x-request-id"].startswith("req_")


def test_browsers_may_call_only_from_origins_that_are_named(start_gateway: StartGateway) -> None:
    origin = {"Origin": "https://a.example"}
    closed = httpx.get(start_gateway(), headers=origin)
    opened = httpx.get(start_gateway(cors_origins="https://a.example, https://b.example"), headers=origin)

    assert "access-control-allow-origin" not in closed.headers
    assert opened.headers["access-control-allow-origin"] == "https://a.example"


def test_every_endpoint_is_described_with_a_summary_and_an_example(gateway: str) -> None:
    described = httpx.get(f"{gateway}/openapi.json").json()

    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            answers = operation["responses"]["200"]["content"].values()
            assert any("example" in answer for answer in answers), (method, path)
