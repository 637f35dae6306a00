"""Every service of a running stack exports what is declared, with the labels that are declared, and nothing else."""

import re

import httpx
import openai
import pytest

from shared.telemetry.instruments import DECLARED
from shared.telemetry.metric import ANY, Metric, Service
from tests.stack import Stack, wait_until

ROLES: dict[Service, str] = {
    "gateway": "gateway",
    "worker": "worker",
    "session-service": "session_service",
    "embedding-service": "embedding_service",
}
RARE = {"drover_model_evictions_total", "drover_models_failed"}
"""Seen only when memory is short, or a file is broken."""

Pages = dict[Service, list[str]]


@pytest.fixture(scope="module")
def pages(stack: Stack) -> Pages:
    """Every process' metrics after a chat, a turn of a session and an embedding."""
    with (
        openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.api_key, max_retries=0) as client,
        stack.client() as http,
    ):
        hello = [{"role": "user", "content": "Tell me a story."}]
        for _ in client.chat.completions.create(model="drover-tiny", messages=hello, stream=True, max_tokens=40):
            pass
        session_id = http.post("/v1/sessions", json={}).json()["id"]
        body = {"model": "drover-tiny", "messages": hello, "session_id": session_id, "max_tokens": 5}
        http.post("/v1/chat/completions", json=body).raise_for_status()
        client.embeddings.create(model="all-minilm-l6-v2", input=["a cat"])
    wait_until(lambda: "drover_job_duration_seconds_count" in "".join(_pages(stack, "session_service")), "it is stored")
    return {service: _pages(stack, role) for service, role in ROLES.items()}


def _pages(stack: Stack, role: str) -> list[str]:
    addresses = [process["address"] for process in stack.processes_of(role)]
    return [httpx.get(f"http://{address}/metrics", trust_env=False).text for address in addresses]


def _lines(page: str) -> list[tuple[str, dict[str, str]]]:
    """Name and labels of each of Drover's own series on the page."""
    found = re.findall(r"^(drover_\w+)(?:{(.*)})? \S+$", page, re.MULTILINE)
    return [(name, dict(re.findall(r'(\w+)="([^"]*)"', labels))) for name, labels in found]


def _by_series(service: Service) -> dict[str, Metric]:
    return {name: metric for metric in DECLARED.values() if service in metric.services for name in metric.series}


@pytest.mark.parametrize("service", ROLES)
def test_a_service_exports_what_it_is_declared_to(pages: Pages, service: Service) -> None:
    declared = {metric.name for metric in DECLARED.values() if service in metric.services}

    shown = {_by_series(service)[name].name for page in pages[service] for name, _ in _lines(page)}

    assert declared - RARE <= shown <= declared


@pytest.mark.parametrize("service", ROLES)
def test_a_series_has_the_labels_and_the_values_that_are_declared(pages: Pages, service: Service) -> None:
    for name, labels in (line for page in pages[service] for line in _lines(page)):
        metric = _by_series(service)[name]
        assert labels.keys() - {"le"} == metric.labels.keys(), name
        for label, values in metric.labels.items():
            assert values == ANY or labels[label] in values, (name, labels)


@pytest.mark.parametrize("service", ROLES)
def test_a_service_says_its_name_for_the_alert_that_misses_it(pages: Pages, service: Service) -> None:
    for page in pages[service]:
        assert re.search(rf'^target_info{{.*service_name="drover-{service}"', page, re.MULTILINE)
