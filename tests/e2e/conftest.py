"""One stack with the real model for all end-to-end tests: two gateways, two workers."""

from collections.abc import Iterator

import openai
import pytest

from tests.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with running_stack("--gateways", "2", "--workers", "2") as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    """OpenAI's own client, pointed at the first gateway."""
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.api_key, max_retries=0) as made:
        yield made
