"""Of gateway/follow.py and gateway/channel.py: streams stay exact when pub/sub does not."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import redis

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import StartGateway
from tests.integration.gateway.sse_reader import finish_of, frames, text_of

URL = "/v1/chat/completions"
HELLO = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
TEXTS = [f"{number} " for number in range(40)]


def read_stream(http: httpx.Client) -> list[Any]:
    with http.stream("POST", URL, json=HELLO) as response:
        return list(frames(response))


def test_streams_are_exact_while_the_pubsub_connection_is_killed_again_and_again(
    http: httpx.Client, worker: ScriptedWorker, redis_url: str
) -> None:
    worker.texts, worker.pause_s = TEXTS, 0.02
    is_over = threading.Event()

    def kill() -> None:
        with redis.Redis.from_url(redis_url) as client:
            while not is_over.wait(0.15):
                client.client_kill_filter(_type="pubsub")

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(4) as pool:
        streams = list(pool.map(lambda _: read_stream(http), range(4)))
    is_over.set()
    killer.join()

    for read in streams:
        assert text_of(read) == "".join(TEXTS)
        assert [frame.id for frame in read[1:-2]] == list(range(1, 41))
        assert finish_of(read) == "stop"


@pytest.fixture
def deaf_redis_url(redis_url: str) -> Iterator[str]:
    """Redis for a user who may do everything but hear a channel: no event ever arrives live."""
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all", "resetchannels")
        yield redis_url.replace("redis://", "redis://deaf:secret@")
        client.execute_command("ACL", "DELUSER", "deaf")


def test_without_any_live_event_the_stream_comes_from_the_log(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker, deaf_redis_url: str
) -> None:
    worker.texts, worker.pause_s = TEXTS, 0.01
    headers = {"Authorization": f"Bearer {api_key}"}
    gateway = start_gateway(redis_url=deaf_redis_url, silence_s=0.1)
    with httpx.Client(base_url=gateway, headers=headers, timeout=20) as http:
        read = read_stream(http)

    assert text_of(read) == "".join(TEXTS)
    assert read[-1].data == "[DONE]"


def test_a_slow_buffer_overflows_into_the_log(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker
) -> None:
    worker.texts = [f"{number} " for number in range(600)]
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=start_gateway(stream_buffer_events=8), headers=headers, timeout=20) as http:
        read = read_stream(http)

    assert text_of(read) == "".join(worker.texts)
