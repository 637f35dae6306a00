"""Every streaming endpoint, byte for byte: what is in golden/ is what clients have been written against.

A change of these files is a change of the API. Write them anew with WRITE_GOLDEN=1, and read the difference.
"""

import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.scripted_worker import ScriptedWorker

GOLDEN = Path(__file__).parent / "golden"
HELLO = [{"role": "user", "content": "Hello"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CALL = ("Well. ", '<tool_call>{"name": "wea', 'ther", "arguments": {"ci', 'ty": "Rome"}}', "</tool_call>")
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]
CASES: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "chat": ("/v1/chat/completions", {"messages": HELLO, "stream_options": {"include_usage": True}}, ()),
    "chat_choices_logprobs": ("/v1/chat/completions", {"messages": HELLO, "n": 2, "logprobs": True}, ()),
    "chat_tools": ("/v1/chat/completions", {"messages": HELLO, "tools": TOOLS}, CALL),
    "completions": ("/v1/completions", {"prompt": "Once", "logprobs": 1}, ()),
    "responses": ("/v1/responses", {"input": "Hello", "store": False}, ()),
    "responses_tools": ("/v1/responses", {"input": "Hello", "store": False, "max_output_tokens": 20, "tools": [
        {"type": "function", "name": "weather", "parameters": CITY}]}, CALL),
    "messages": ("/v1/messages", {"messages": HELLO, "max_tokens": 20}, ()),
    "messages_tools": ("/v1/messages", {"messages": HELLO, "max_tokens": 20, "tools": [
        {"name": "weather", "input_schema": CITY}]}, CALL),
    "native_chat": ("/api/chat", {"messages": HELLO}, ()),
    "native_generate": ("/api/generate", {"prompt": "Once"}, ()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_stream_is_what_it_was(http: httpx.Client, worker: ScriptedWorker, name: str) -> None:
    path, body, texts = CASES[name]
    worker.texts = texts or worker.texts
    worker.pause_s = 0.02  # a token by itself, as a model writes them

    answer = http.post(path, json={"model": "drover-tiny", "stream": True, **body})

    assert answer.status_code == 200, answer.text
    told = _without_what_changes(answer.content, answer.headers["x-job-id"])
    file = GOLDEN / f"{name}.sse"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_bytes(told)
    assert told == file.read_bytes()


def _without_what_changes(stream: bytes, job_id: str) -> bytes:
    """Ids, times and comments differ each time; nothing else may."""
    stream = stream.replace(job_id.encode(), b"JOB")
    stream = re.sub(rb'"(created|created_at|completed_at)":[0-9.]+', rb'"\1":0', stream)
    stream = re.sub(rb"(?m)^: .*\n\n?", b"", stream)
    return re.sub(rb"fp_[0-9a-z]+", b"fp", stream)
