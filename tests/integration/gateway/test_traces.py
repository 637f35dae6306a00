"""What the gateway tells of a request, and what it hands on: to the session service by header, to the worker by job."""

from collections.abc import Iterator

import httpx
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.fakes.span_memory import SpanMemory, remembered_spans
from tests.integration.gateway.waiting import until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE_ID}-b7ad6b7169203331-01"
ROUTE = "POST /v1/chat/completions"


@pytest.fixture
def memory() -> Iterator[SpanMemory]:
    with remembered_spans() as memory:
        yield memory


def ask(http: httpx.Client, **fields: object) -> httpx.Response:
    body = {"model": "drover-tiny", "messages": [{"role": "user", "content": "A secret"}], **fields}
    return http.post("/v1/chat/completions", json=body, headers={"traceparent": CALLER})


def test_a_stream_of_many_chunks_is_one_span_with_its_first_token(
    memory: SpanMemory, http: httpx.Client, worker: ScriptedWorker
) -> None:
    worker.texts = ["word "] * 60

    answer = ask(http, stream=True)

    assert answer.text.count("data: ") > 60
    until(lambda: {ROUTE, "hint"} <= set(memory.names()))
    whole = memory.one(ROUTE)
    assert f"{whole.context.trace_id:032x}" == TRACE_ID
    assert [event.name for event in whole.events] == ["first token"]
    assert whole.attributes["drover.job.id"] == answer.headers["x-job-id"]
    assert {"accept", "hint", ROUTE} <= set(memory.names()) <= {"accept", "hint", ROUTE, "check key"}
    assert "secret" not in "".join(span.to_json() for span in memory.spans)


def test_the_job_goes_on_with_the_requests_own_span(
    memory: SpanMemory, http: httpx.Client, worker: ScriptedWorker
) -> None:
    job_id = ask(http).headers["x-job-id"]

    until(lambda: ROUTE in memory.names())
    whole = memory.one(ROUTE).context
    assert worker.jobs[job_id].traceparent == f"00-{TRACE_ID}-{whole.span_id:016x}-01"


def test_who_sends_no_trace_begins_one(memory: SpanMemory, http: httpx.Client, worker: ScriptedWorker) -> None:
    answer = http.post(
        "/v1/chat/completions", json={"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}
    )

    until(lambda: ROUTE in memory.names())
    whole = memory.one(ROUTE)
    assert whole.parent is None
    assert f"{whole.context.trace_id:032x}" in (worker.jobs[answer.headers["x-job-id"]].traceparent or "")


def test_a_call_to_the_session_service_is_a_clients_span_that_tells_only_a_code_when_it_fails(
    memory: SpanMemory, http: httpx.Client
) -> None:
    answer = ask(http, session_id="sess_of_nobody")

    assert answer.status_code == 404
    until(lambda: ROUTE in memory.names())
    begun = memory.one("begin turn")
    assert memory.parent_of("begin turn") == ROUTE
    assert begun.attributes["error.type"] == "session_not_found"
    assert "sess_of_nobody" not in begun.to_json()


def test_health_checks_are_no_requests(memory: SpanMemory, http: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        http.get(path)

    assert memory.spans == []
