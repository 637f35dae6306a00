"""A collector for tests: takes spans over OTLP/HTTP, keeps them, and shows a trace as a tree of text."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True)
class SeenSpan:
    """A span as it was received; times in nanoseconds since the epoch, `events` by name."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    events: dict[str, int]
    is_error: bool


class OtlpReceiver:
    """`spans` grows as services export; nothing leaves it."""

    def __init__(self, url: str):
        self.url = url
        self.spans: list[SeenSpan] = []
        self.resources: list[dict[str, Any]] = []

    def trace(self, trace_id: str) -> list[SeenSpan]:
        """The trace's spans by their beginning."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.start_ns)

    def take(self, body: bytes) -> None:
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _attributes(resource_spans.resource.attributes)
            self.resources.append(resource)
            for scope in resource_spans.scope_spans:
                self.spans += [_seen(resource["service.name"], span) for span in scope.spans]


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """A receiver on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = OtlpReceiver(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def as_text(spans: list[SeenSpan]) -> str:
    """One line a span, below its parent: name, kind, service, when it began and how long it took, attributes."""
    known = {span.span_id for span in spans}
    begin_ns = min(span.start_ns for span in spans)
    lines: list[str] = []

    def show(span: SeenSpan, depth: int) -> None:
        at_ms, took_ms = (span.start_ns - begin_ns) / 1e6, (span.end_ns - span.start_ns) / 1e6
        title = f"{'  ' * depth}{span.name}"
        lines.append(f"{title:<42} {at_ms:8.1f} +{took_ms:7.1f} ms  {span.kind:<8} {span.service}")
        lines.extend(
            f"{'  ' * depth}    · {name} at {(at_ns - begin_ns) / 1e6:.1f} ms" for name, at_ns in span.events.items()
        )
        told = {
            name: value for name, value in span.attributes.items() if name.startswith(("drover.", "gen_ai.", "err"))
        }
        lines.extend(f"{'  ' * depth}    {name} = {value}" for name, value in told.items())
        for child in spans:
            if child.parent_id == span.span_id:
                show(child, depth + 1)

    for span in spans:
        if span.parent_id not in known:
            show(span, 0)
    return "\n".join(lines)


def _seen(service: str, span: Span) -> SeenSpan:
    return SeenSpan(
        service=service,
        name=span.name,
        kind=KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        events={event.name: event.time_unix_nano for event in span.events},
        is_error=span.status.code == 2,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
