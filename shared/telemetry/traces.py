"""Traces: one per request, through every process that works for it, in W3C's context and over OTLP.

Only a request that arrives begins a trace. Everything else is a span of one that is recorded, or nothing at all: so
periodic work, health checks and a service without an endpoint make no spans. A span never holds a prompt, an answer or
a key; job and session ids may stand there, unlike in metrics. The error of a span is its code, never its text.
"""

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from shared.settings import Settings
from shared.telemetry.metric import Service

Attributes = Mapping[str, AttributeValue]
Event = tuple[str, int]
"""A name, and nanoseconds since the epoch."""

SHUTDOWN_S = 2.0
"""So long the end of a process waits for its last spans; a collector that is away must not hold up a drain."""

PROVIDER = "drover"
"""Of models, in the GenAI conventions' words."""

JOB_ID = "drover.job.id"
SESSION_ID = "gen_ai.conversation.id"
NO_ATTRIBUTES: Attributes = {}

_TRACER = trace.get_tracer("drover")
_W3C = TraceContextTextMapPropagator()
_QUERY = "url.query"


def configure_traces(
    service: Service, settings: Settings, *, instance_id: str = "", exporter: SpanExporter | None = None
) -> None:
    """Begin to record and export, if the settings name an endpoint. Once per process: a second call changes nothing.

    A given `exporter` gets every span as it ends, and no endpoint is needed. OTEL_SERVICE_NAME,
    OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_* and the others are the SDK's own to read.
    """
    if isinstance(trace.get_tracer_provider(), TracerProvider) or not (settings.traces_endpoint or exporter):
        return
    resource = _resource(service, instance_id)
    provider = TracerProvider(sampler=_sampler(settings), resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_QuerySilencer())
    provider.add_span_processor(
        SimpleSpanProcessor(exporter) if exporter else BatchSpanProcessor(_otlp(settings.traces_endpoint))
    )
    trace.set_tracer_provider(provider)


def shutdown_traces(timeout_s: float = SHUTDOWN_S) -> None:
    """Export what is left, for `timeout_s` at most; nothing is recorded any more."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        ending = threading.Thread(target=provider.shutdown, daemon=True)  # it would wait for 30 s
        ending.start()
        ending.join(timeout_s)


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


def _resource(service: Service, instance_id: str) -> Resource:
    attributes = {
        "service.name": f"drover-{service}",
        "service.instance.id": instance_id or f"{socket.gethostname()}-{os.getpid()}",
    }
    with suppress(PackageNotFoundError):  # a checkout that is not installed
        attributes["service.version"] = version("drover")
    return Resource.create({**attributes, **OTELResourceDetector().detect().attributes})


def _sampler(settings: Settings) -> Sampler:
    name = settings.traces_sampler
    roots = {"always_on": ALWAYS_ON, "always_off": ALWAYS_OFF, "traceidratio": TraceIdRatioBased(settings.traces_ratio)}
    root = roots[name.removeprefix("parentbased_")]
    return ParentBased(root) if name.startswith("parentbased_") else root


def _otlp(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # here: it takes time to load

    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")


class _QuerySilencer(SpanProcessor):
    """FastAPI's spans tell the query of every URL, and callers put keys and texts there by mistake."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.attributes and _QUERY in span.attributes:
            span.set_attribute(_QUERY, "REDACTED")

    def on_end(self, span: ReadableSpan) -> None:
        pass
