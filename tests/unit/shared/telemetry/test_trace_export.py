import subprocess
import sys
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from shared.settings import Settings
from shared.telemetry import traces
from shared.telemetry.trace_export import _sampler
from tests.fakes.span_memory import SpanMemory, remembered_spans

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def memory() -> Iterator[SpanMemory]:
    with remembered_spans() as memory:
        yield memory


def test_an_urls_query_is_not_told(memory: SpanMemory) -> None:
    traces.note_span("GET /v1/models", CALLER, 1, 2, attributes={"url.query": "api_key=drv_x", "url.path": "/v1"})

    assert dict(memory.one("GET /v1/models").attributes) == {"url.query": "REDACTED", "url.path": "/v1"}


def test_spans_say_which_process_made_them(memory: SpanMemory) -> None:
    traces.note_span("claim", CALLER, 1, 2)

    told = memory.one("claim").resource.attributes
    assert (told["service.name"], told["service.instance.id"]) == ("drover-worker", "test")
    assert told["telemetry.sdk.name"] == "opentelemetry"


@pytest.mark.parametrize(
    ("name", "ratio", "told"),
    [
        ("parentbased_traceidratio", 0.25, "TraceIdRatioBased{0.25}"),
        ("traceidratio", 0.5, "TraceIdRatioBased{0.5}"),
        ("parentbased_always_off", 1, "AlwaysOffSampler"),
        ("always_on", 0, "AlwaysOnSampler"),
    ],
)
def test_the_sampler_is_the_one_that_the_settings_name(name: str, ratio: float, told: str) -> None:
    sampler = _sampler(Settings(traces_sampler=name, traces_ratio=ratio)).get_description()

    assert told in sampler
    assert sampler.startswith("ParentBased") == name.startswith("parentbased_")


PROGRAM = """
import sys, time
from opentelemetry import trace
from shared.settings import Settings
from shared.telemetry import configure_traces, shutdown_traces, traces
configure_traces("worker", Settings())
traces.note_span("store turn", "{caller}", 1, 2)
begun = time.monotonic()
shutdown_traces(0.3)
print(type(trace.get_tracer_provider()).__name__, time.monotonic() - begun < 5, "requests" in sys.modules)
"""


def ran(endpoint: str) -> str:
    """The standard names are what switches traces on: in a process of its own, as that is for good."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "mine"}
    command = [sys.executable, "-c", PROGRAM.format(caller=CALLER)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_without_an_endpoint_nothing_is_made_and_nothing_is_loaded() -> None:
    assert ran("") == "ProxyTracerProvider True False"


def test_a_collector_that_is_away_does_not_hold_up_the_end() -> None:
    assert ran("http://127.0.0.1:1") == "TracerProvider True True"


def test_an_endpoint_must_be_an_url() -> None:
    assert Settings(traces_endpoint="https://collector:4318").traces_endpoint
    with pytest.raises(ValidationError):
        Settings(traces_endpoint="collector:4318")
