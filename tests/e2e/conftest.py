"""One stack with the real model for all end-to-end tests: two gateways, two workers."""

from collections.abc import Iterator

import openai
import pytest

from tests.fakes.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.stack import Stack, running_stack


@pytest.fixture(scope="session")
def collector() -> Iterator[OtlpReceiver]:
    """Where the stack sends its traces."""
    with otlp_receiver() as receiving:
        yield receiving


@pytest.fixture(scope="session")
def stack(collector: OtlpReceiver) -> Iterator[Stack]:
    traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with running_stack("--gateways", "2", "--workers", "2", **traces) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, pointed at the first gateway."""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.api_key, max_retries=0) as made:
        yield made
