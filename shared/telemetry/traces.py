"""Traces: one per request, through every process that works for it, carried on in W3C's words.

Only a request that arrives begins a trace. Everything else is a span of one that is recorded, or nothing at all: so
periodic work, health checks and a service without an endpoint make no spans. A span never holds a prompt, an answer or
a key; job and session ids may stand there, unlike in metrics. The error of a span is its code, never its text.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

Attributes = Mapping[str, AttributeValue]
Event = tuple[str, int]
"""A name, and nanoseconds since the epoch."""

PROVIDER = "drover"
"""Of models, in the GenAI conventions' words."""

JOB_ID = "drover.job.id"
SESSION_ID = "gen_ai.conversation.id"
NO_ATTRIBUTES: Attributes = {}

_TRACER = trace.get_tracer("drover")
_W3C = TraceContextTextMapPropagator()


@contextmanager
def span(name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes = NO_ATTRIBUTES) -> Iterator[trace.Span]:
    """A child of the current span around the block. What the block raises ends it as failed, and is raised."""
    with trace.use_span(
        begin_span(name, kind, attributes), record_exception=False, set_status_on_exception=False
    ) as made:
        try:
            yield made
        except BaseException as error:
            fail(made, getattr(error, "code", None) or type(error).__qualname__)
            raise
        finally:
            made.end()


def begin_span(name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes = NO_ATTRIBUTES) -> trace.Span:
    """A child of the current span that whoever gets it ends; one that does nothing where no span is recorded."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid and context.trace_flags.sampled:
        return _TRACER.start_span(name, kind=kind, attributes=attributes)
    return trace.NonRecordingSpan(context)


def begin_remote_span(
    name: str, traceparent: str | None, kind: SpanKind, attributes: Attributes = NO_ATTRIBUTES, *, start_ns: int
) -> trace.Span:
    """A span of the trace that another process has written down; one that does nothing without a trace."""
    if not traceparent:
        return INVALID_SPAN
    context = _context_of(traceparent)
    if not trace.get_current_span(context).get_span_context().is_valid:
        return INVALID_SPAN
    return _TRACER.start_span(name, context=context, kind=kind, attributes=attributes, start_time=start_ns)


def note_span(
    name: str,
    parent: trace.Span | str,
    start_ns: int,
    end_ns: int,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes = NO_ATTRIBUTES,
    *,
    events: Sequence[Event] = (),
    error: str | None = None,
) -> trace.Span:
    """Record afterwards what has happened; `parent` is a span or a traceparent. The span is ended already.

    Times are nanoseconds since the epoch. `error` is the code of what went wrong.
    """
    if isinstance(parent, str):
        made = begin_remote_span(name, parent, kind, attributes, start_ns=start_ns)
    else:
        context = trace.set_span_in_context(parent)
        made = _TRACER.start_span(name, context=context, kind=kind, attributes=attributes, start_time=start_ns)
    for event, at_ns in events:
        made.add_event(event, timestamp=at_ns)
    if error is not None:
        fail(made, error)
    made.end(end_ns)
    return made


def fail(failed: trace.Span, code: str) -> None:
    """Mark a span as failed."""
    failed.set_attribute("error.type", code)
    failed.set_status(StatusCode.ERROR)


def describe(attributes: Attributes) -> None:
    """Add attributes to the current span."""
    if (current := trace.get_current_span()).is_recording():
        current.set_attributes(attributes)


def happened(event: str) -> None:
    """Note an event on the current span."""
    if (current := trace.get_current_span()).is_recording():
        current.add_event(event)


def current_traceparent() -> str | None:
    """The current span as W3C's header, for a process that goes on with its trace; None outside of any."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")


def _context_of(traceparent: str) -> Context:
    return _W3C.extract({"traceparent": traceparent}, Context())
