"""One trace from the HTTP request to the stored turn, over four processes and Celery."""

import re
import secrets

import openai
import pytest

from tests.fakes.otlp_receiver import OtlpReceiver, SeenSpan, as_text
from tests.stack import Stack, wait_until

QUESTION, MAX_SPANS = "What is the capital of Italy?", 25


@pytest.fixture(scope="module")
def answered(stack: Stack, collector: OtlpReceiver) -> tuple[list[SeenSpan], str, str]:
    """The spans of a turn of a stored conversation, the id of its session, and the answer."""
    with stack.client() as http:
        session_id = http.post("/v1/sessions", json={"title": "A talk"}).json()["id"]
    trace_id, answer = secrets.token_hex(16), ""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.api_key, max_retries=0) as client:
        stream = client.chat.completions.create(
            model=stack.model,
            messages=[{"role": "user", "content": QUESTION}],
            temperature=0,
            max_tokens=40,
            stop=["Zanzibar"],
            stream=True,
            extra_body={"session_id": session_id},
            extra_headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"},
            extra_query={"api_key": "drv_told_by_mistake"},
        )
        answer = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    wanted = {"store turn", "claim", "hint", "POST /v1/chat/completions"}
    wait_until(lambda: wanted <= {span.name for span in collector.trace(trace_id)}, "the trace has come", 20)
    spans = collector.trace(trace_id)
    print(as_text(spans))  # noqa: T201  pytest -s shows it
    return spans, session_id, answer


def one(spans: list[SeenSpan], name: str) -> SeenSpan:
    found = [span for span in spans if span.name == name]
    assert len(found) == 1, f"{len(found)} spans are named {name}"
    return found[0]


def test_every_step_of_a_turn_is_a_span_below_the_one_that_caused_it(
    answered: tuple[list[SeenSpan], str, str], stack: Stack
) -> None:
    spans, _, _ = answered
    chat = f"chat {stack.model}"
    parents = {
        "begin turn": "POST /v1/chat/completions",
        "POST /internal/turns": "begin turn",
        "accept": "POST /v1/chat/completions",
        "hint": "POST /v1/chat/completions",
        "claim": "POST /v1/chat/completions",
        chat: "claim",
        "prefill": chat,
        "finish": "claim",
        "store turn": "POST /v1/chat/completions",
    }

    assert {name: one(spans, name).parent_id for name in parents} == {
        name: one(spans, parent).span_id for name, parent in parents.items()
    }
    assert len(spans) <= MAX_SPANS
    whole = one(spans, "POST /v1/chat/completions")
    assert all(span.start_ns >= whole.start_ns for span in spans)


def test_each_span_tells_of_which_kind_and_in_which_service_it_was(
    answered: tuple[list[SeenSpan], str, str], stack: Stack
) -> None:
    spans, _, _ = answered

    assert {name: (one(spans, name).kind, one(spans, name).service) for name in SERVICES} == SERVICES
    assert one(spans, f"chat {stack.model}").service == "drover-worker"


SERVICES = {
    "POST /v1/chat/completions": ("server", "drover-gateway"),
    "begin turn": ("client", "drover-gateway"),
    "POST /internal/turns": ("server", "drover-session-service"),
    "accept": ("internal", "drover-gateway"),
    "hint": ("producer", "drover-gateway"),
    "claim": ("consumer", "drover-worker"),
    "prefill": ("internal", "drover-worker"),
    "finish": ("internal", "drover-worker"),
    "store turn": ("consumer", "drover-session-service"),
}


def test_the_answers_span_speaks_the_conventions_for_models(
    answered: tuple[list[SeenSpan], str, str], stack: Stack
) -> None:
    spans, session_id, _ = answered
    chat, claim = one(spans, f"chat {stack.model}"), one(spans, "claim")

    told = chat.attributes
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "drover"
    assert told["gen_ai.request.model"] == told["gen_ai.response.model"] == stack.model
    assert (told["gen_ai.request.max_tokens"], told["gen_ai.request.temperature"]) == (40, 0.0)
    assert told["gen_ai.response.finish_reasons"] == ["stop"]
    assert told["gen_ai.usage.input_tokens"] > 5
    assert 0 < told["gen_ai.usage.output_tokens"] <= 40
    assert told["gen_ai.conversation.id"] == session_id
    assert chat.start_ns <= chat.events["first token"] <= chat.end_ns
    assert (claim.attributes["drover.epoch"], claim.attributes["drover.outcome"]) == (1, "stop")
    assert 0 <= claim.attributes["drover.queue_wait_s"] < 60
    assert claim.attributes["drover.job.id"] == told["gen_ai.response.id"]


def test_no_attribute_holds_what_was_said_or_a_key(answered: tuple[list[SeenSpan], str, str], stack: Stack) -> None:
    spans, _, answer = answered
    assert "Rome" in answer

    told = repr([span.attributes for span in spans])
    secret = "|".join(map(re.escape, [QUESTION, "capital", answer, "Rome", "Zanzibar", stack.api_key, "by_mistake"]))
    assert re.findall(secret, told) == []


def test_health_checks_and_periodic_work_make_no_traces(
    answered: tuple[list[SeenSpan], str, str], stack: Stack, collector: OtlpReceiver
) -> None:
    stack.wait_until_whole()

    names = {span.name for span in collector.spans}
    assert not {"GET /readyz", "GET /livez", "GET /metrics", "GET /health"} & names
    assert {span.kind for span in collector.spans if not span.parent_id} == {"server"}


def test_log_lines_name_the_trace_the_job_and_its_tenant(
    answered: tuple[list[SeenSpan], str, str], stack: Stack
) -> None:
    claim = one(answered[0], "claim")

    logs = "".join(stack.log(process["name"]) for process in stack.processes_of("worker"))
    (line,) = [line for line in logs.splitlines() if claim.trace_id in line and "job_claimed" in line]
    assert claim.span_id in line
    assert "tenant_id" in line


def test_embeddings_are_one_trace_over_two_services(stack: Stack, collector: OtlpReceiver) -> None:
    trace_id = secrets.token_hex(16)
    with stack.client() as http:
        answer = http.post(
            "/v1/embeddings",
            json={"model": "all-minilm-l6-v2", "input": "a secret text"},
            headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"},
        )
    assert answer.status_code == 200, answer.text

    path = ["POST /v1/embeddings", "embed", "POST /internal/embeddings", "embeddings all-minilm-l6-v2"]
    wait_until(lambda: set(path) <= {span.name for span in collector.trace(trace_id)}, "the trace has come", 20)
    spans = collector.trace(trace_id)
    assert [one(spans, name).parent_id for name in path[1:]] == [one(spans, name).span_id for name in path[:-1]]
    assert "secret" not in repr(spans)
