"""Clients that read slowly or not at all: what they cost is bounded, and nobody else waits for them."""

from contextlib import ExitStack
from typing import Any

import httpx
import psutil
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import StartGateway
from tests.integration.gateway.sse_reader import frames, text_of
from tests.integration.gateway.test_disconnect import asking
from tests.integration.gateway.waiting import until

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}
READERS = 8


def test_those_who_read_nothing_are_cut_off_and_another_streams_meanwhile(
    start_gateway: StartGateway, api_key: str, redis_url: str
) -> None:
    gateway = start_gateway(send_stall_s=0.5, stream_buffer_bytes=65_536)
    long = ScriptedWorker(redis_url, texts=["x" * 50_000] * 400, pause_s=0.002)
    before = psutil.Process().memory_info().rss
    with long.at_work(), ExitStack() as readers:
        for _ in range(READERS):
            readers.enter_context(asking(gateway, api_key, {**HELLO, "stream": True}))
        headers = {"Authorization": f"Bearer {api_key}"}
        with (
            httpx.Client(base_url=gateway, headers=headers, timeout=60) as http,
            http.stream("POST", URL, json={**HELLO, "stream": True}) as response,
        ):
            read = list(frames(response))
        until(lambda: list(long.ended.values()).count("cancelled") == READERS, timeout_s=40)
    grown = psutil.Process().memory_info().rss - before

    assert len(text_of(read)) == 400 * 50_000
    # Each of the streams is 20 MB long; what is kept of it is a buffer, a page of the log and the socket's buffer.
    assert grown < READERS * 20 * 2**20


@pytest.mark.parametrize("events", [8, 256])
def test_a_reader_who_pauses_gets_everything_in_order(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker, events: int
) -> None:
    worker.texts = [f"{number} " + "x" * 2000 for number in range(3000)]
    gateway = start_gateway(stream_buffer_events=events, stream_buffer_bytes=16_384)
    with (
        httpx.Client(base_url=gateway, headers={"Authorization": f"Bearer {api_key}"}, timeout=60) as http,
        http.stream("POST", URL, json={**HELLO, "stream": True}) as response,
    ):
        until(lambda: list(worker.ended.values()) == ["stop"], timeout_s=40)
        read = list(frames(response))

    assert text_of(read) == "".join(worker.texts)
