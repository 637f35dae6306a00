"""Where spans go: a sampler, the words for this process, and a collector that takes OTLP over HTTP."""

import os
import socket
import threading
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from shared.settings import Settings
from shared.telemetry.metric import Service

SHUTDOWN_S = 2.0
"""So long the end of a process waits for its last spans; a collector that is away must not hold up a drain."""

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
