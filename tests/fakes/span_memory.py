"""Spans of the test's own process, in memory. OpenTelemetry's provider cannot be taken back, so it is made once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from shared.settings import Settings
from shared.telemetry import configure_traces


class SpanMemory(SpanExporter):
    """Keeps what ends while a test listens."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.is_listening = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.is_listening:
            self.spans += spans
        return SpanExportResult.SUCCESS

    def names(self) -> list[str]:
        return sorted(span.name for span in self.spans)

    def one(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def parent_of(self, name: str) -> str | None:
        """The name of the parent, None if it is not among the spans."""
        parent = self.one(name).parent
        names = {span.context.span_id: span.name for span in self.spans if span.context}
        return None if parent is None else names.get(parent.span_id)


_MEMORY = SpanMemory()


@contextmanager
def remembered_spans() -> Iterator[SpanMemory]:
    """The spans that end within the block. Every trace is recorded unless its sender decided otherwise."""
    configure_traces("worker", Settings(), instance_id="test", exporter=_MEMORY)
    _MEMORY.spans, _MEMORY.is_listening = [], True
    try:
        yield _MEMORY
    finally:
        _MEMORY.is_listening = False
