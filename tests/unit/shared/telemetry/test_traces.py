import time
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode

from shared.errors import SessionBusyError
from shared.telemetry import traces
from tests.fakes.span_memory import SpanMemory, remembered_spans

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = CALLER[:-1] + "0"


@pytest.fixture
def memory() -> Iterator[SpanMemory]:
    with remembered_spans() as memory:
        yield memory


def a_claim(traceparent: str = CALLER) -> trace.Span:
    return traces.begin_remote_span("claim", traceparent, SpanKind.CONSUMER, start_ns=time.time_ns())


def ids(line: str) -> str:
    """What a traceparent says before its flags."""
    return line.rpartition("-")[0]


def test_a_span_outside_of_every_trace_is_nothing(memory: SpanMemory) -> None:
    with traces.span("accept"):
        assert traces.current_traceparent() is None
    traces.begin_span("hint").end()

    assert memory.spans == []


@pytest.mark.parametrize("traceparent", [None, "", "rubbish", "00-0-0-00", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_a_job_without_a_trace_gets_none(memory: SpanMemory, traceparent: str | None) -> None:
    assert traces.begin_remote_span("claim", traceparent, SpanKind.CONSUMER, start_ns=1) is INVALID_SPAN
    traces.note_span("store turn", traceparent or "", 1, 2)

    assert memory.spans == []


def test_spans_nest_below_what_another_process_began(memory: SpanMemory) -> None:
    claim = a_claim()
    with trace.use_span(claim, end_on_exit=True), traces.span("load model"):
        inner = traces.current_traceparent()

    assert inner is not None
    assert ids(inner) == ids(f"00-{CALLER.split('-')[1]}-{memory.one('load model').context.span_id:016x}-01")
    assert memory.parent_of("load model") == "claim"
    assert memory.one("claim").parent.span_id == int(CALLER.split("-")[2], 16)


def test_who_decided_not_to_record_is_heeded_and_passed_on(memory: SpanMemory) -> None:
    with trace.use_span(a_claim(UNSAMPLED), end_on_exit=True), traces.span("load model"):
        traceparent = traces.current_traceparent()

    assert traceparent is not None
    assert traceparent.endswith("-00")
    assert memory.spans == []


def test_what_is_noted_afterwards_has_the_times_it_had(memory: SpanMemory) -> None:
    traces.note_span("chat tiny", CALLER, 1_000, 5_000, attributes={"a": 1}, events=[("first token", 2_000)])

    chat = memory.one("chat tiny")
    assert (chat.start_time, chat.end_time, dict(chat.attributes)) == (1_000, 5_000, {"a": 1})
    assert [(event.name, event.timestamp) for event in chat.events] == [("first token", 2_000)]


def test_a_failed_span_tells_the_code_and_no_text(memory: SpanMemory) -> None:
    def fails() -> None:
        with traces.span("begin turn"):
            raise SessionBusyError("a secret of the caller's")

    with trace.use_span(a_claim(), end_on_exit=True), pytest.raises(SessionBusyError):
        fails()

    failed = memory.one("begin turn")
    assert failed.status.status_code == StatusCode.ERROR
    assert dict(failed.attributes) == {"error.type": SessionBusyError.code}
    assert "secret" not in failed.to_json()


def test_a_child_may_outlive_its_parent(memory: SpanMemory) -> None:
    claim = a_claim()
    with trace.use_span(claim):
        claim.end()
        with traces.span("abort turn"):
            traces.describe({"more": 1})
        traces.happened("too late for this")

    assert memory.parent_of("abort turn") == "claim"
    assert dict(memory.one("abort turn").attributes) == {"more": 1}
