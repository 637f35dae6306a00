"""docker-compose.yml in real containers, killed under load. Skipped where no Docker answers or `make images` is due."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

from tests.e2e.compose_stack import API_KEY, ComposeStack, compose_stack, missing
from tests.fault.client import Asked, Client, Received
from tests.fault.load import stream_problems
from tests.stack import wait_until

pytestmark = [
    pytest.mark.skipif(bool(why := missing()), reason=why or "-"),
    pytest.mark.timeout(600),
]

MODEL = "drover-tiny"
TOKENS = 200
STREAMS = 6
NOT_ROOT = ["nginx", "gateway", "worker", "session-service", "embedding-service", "redis"]


@pytest.fixture(scope="module")
def stack() -> Iterator[ComposeStack]:
    with compose_stack({}) as running:
        yield running


@pytest.fixture(scope="module")
def simulated(stack: ComposeStack) -> ComposeStack:
    """The same stack after two settings have changed: only the workers are made anew."""
    stack.up({"WORKER_ENGINE": "simulated", "WORKER_SIMULATED_STEP_MS": "15"})
    return stack


@pytest.fixture
def client(stack: ComposeStack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=API_KEY, max_retries=0) as made:
        yield made


def said(client: openai.OpenAI, text: str, **fields: str) -> str:
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], extra_body=fields or None
    )
    return answer.choices[0].message.content or ""


def test_openais_client_chats_through_nginx(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "What is the capital of France?"}], stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]

    assert "Paris" in "".join(pieces)
    assert len([piece for piece in pieces if piece]) > 1
    assert "".join(pieces) == said(client, "What is the capital of France?")


def test_a_session_is_remembered(stack: ComposeStack, client: openai.OpenAI) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    session = httpx.post(f"{stack.url}/v1/sessions", json={}, headers=headers, timeout=30).json()["id"]
    said(client, "My name is Ada.", session_id=session)

    assert "Ada" in said(client, "What is my name?", session_id=session)


def test_texts_become_vectors(client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model="all-minilm-l6-v2", input="hello").data[0].embedding) == 384


@pytest.mark.parametrize("service", NOT_ROOT)
def test_a_container_is_not_root_and_cannot_write_to_its_image(stack: ComposeStack, service: str) -> None:
    tries = "id -u; touch /opt/x /usr/x /etc/x 2>/dev/null && echo written"

    lines = stack.compose("exec", "-T", service, "sh", "-c", tries, is_checked=False).split()

    assert len(lines) == 1
    assert lines[0] != "0"


def test_nobody_outside_reads_the_metrics(stack: ComposeStack) -> None:
    assert httpx.get(f"{stack.url}/metrics").status_code == 404


@pytest.mark.parametrize("service", ["worker", "gateway", "session-service", "redis", "postgres"])
def test_streams_are_exact_though_a_container_is_killed(simulated: ComposeStack, service: str) -> None:
    kill = simulated.kill if service in ("redis", "postgres") else simulated.crash
    right = read(simulated, "undisturbed", key=f"{service}-right", has_session=False)
    assert stream_problems(right, right.text) == []

    received = under_load(simulated, service, lambda: kill(service))

    problems = [problem for one in received for problem in stream_problems(one, right.text)]
    assert problems == []
    assert [one.asked.key for one in received if one.asked.session_id and not is_stored_once(simulated, one)] == []
    assert service != "gateway" or any(one.cuts for one in received)


def test_docker_has_started_again_what_crashed(simulated: ComposeStack) -> None:
    before = simulated.restarts("embedding-service")

    simulated.crash("embedding-service")

    wait_until(lambda: simulated.restarts("embedding-service") > before, "the container is started again", 60)


def under_load(stack: ComposeStack, name: str, harm: Callable[[], None]) -> list[Received]:
    """Streams of careful clients, half of them turns of sessions; the harm is done in their middle."""
    begun = threading.Semaphore(0)
    with ThreadPoolExecutor(STREAMS) as pool:
        running = [
            pool.submit(read, stack, "undisturbed", f"{name}-{n}", n % 2 == 1, lambda _: begun.release())
            for n in range(STREAMS)
        ]
        for _ in range(STREAMS * 10):
            assert begun.acquire(timeout=60)
        harm()
        return [one.result() for one in running]


def read(
    stack: ComposeStack,
    prompt: str,
    key: str,
    has_session: bool,
    on_chunk: Callable[[Received], None] = lambda _: None,
) -> Received:
    reader = Client(lambda: [stack.url], API_KEY, MODEL, random.Random(key))
    session = reader.create_session() if has_session else None
    return reader.stream(Asked(prompt, TOKENS, f"{stack.project}-{key}", session), on_chunk=on_chunk)


def is_stored_once(stack: ComposeStack, received: Received) -> bool:
    """Whether the session has the answer as its one assistant message, soon."""
    url = f"{stack.url}/v1/sessions/{received.asked.session_id}/messages"
    for _ in range(60):
        answer = httpx.get(url, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=30)
        if answer.status_code == 200:
            replies = [one["content"] for one in answer.json()["data"] if one["role"] == "assistant"]
            if replies:
                return replies == [received.text]
        time.sleep(0.5)
    return False


def test_a_worker_that_hangs_is_started_again(simulated: ComposeStack) -> None:
    right = read(simulated, "undisturbed", key="hang-right", has_session=False)
    simulated.up({"WORKER_SIMULATED_HANG_AFTER_STEPS": str(TOKENS * 3 // 4)})

    received = read(simulated, "undisturbed", key="hang", has_session=False)

    assert stream_problems(received, right.text) == []
    wait_until(lambda: simulated.restarts("worker") > 0, "a worker is started again", 90)
