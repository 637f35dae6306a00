"""/api: a message in, tokens out."""

from typing import Any

import httpx
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.sse_reader import Frame, frames

TEXT = "Hello wörld!"


def streamed(http: httpx.Client, path: str, **body: Any) -> list[Frame]:
    with http.stream("POST", path, json=body) as response:
        assert response.status_code == 200, response.read()
        return list(frames(response))


def test_a_message_opens_a_conversation_that_the_next_one_goes_on_with(
    http: httpx.Client, worker: ScriptedWorker
) -> None:
    first = streamed(http, "/api/chat", message="Hello", system="Be short.")
    session_id = first[-1].data["session_id"]

    second = streamed(http, "/api/chat", message="Again", session_id=session_id)

    assert "".join(line.data["token"] for line in first[:-1]) == first[-1].data["full_text"] == TEXT
    assert second[-1].data["session_id"] == session_id
    roles = [[message.role for message in job.messages] for job in worker.jobs.values()]
    assert roles == [["system", "user"], ["system", "user", "assistant", "user"]]


def test_all_the_messages_at_once_are_answered_and_not_kept(http: httpx.Client, worker: ScriptedWorker) -> None:
    read = streamed(http, "/api/chat", messages=[{"role": "user", "content": "Hello"}])

    assert read[-1].data["session_id"] is None
    assert http.get("/v1/sessions").json()["data"] == [] or next(iter(worker.jobs.values())).session_id is None


def test_an_answer_may_come_whole(http: httpx.Client, worker: ScriptedWorker) -> None:
    answer = http.post("/api/generate", json={"prompt": "Once", "stream": False, "max_tokens": 9})

    assert answer.json()["full_text"] == TEXT
    job = next(iter(worker.jobs.values()))
    assert (job.prompt, job.max_tokens) == ("Once", 9)


@pytest.mark.parametrize("after", [0, 2, 5])
def test_a_native_stream_goes_on_in_its_own_form(http: httpx.Client, worker: ScriptedWorker, after: int) -> None:
    job_id = streamed(http, "/api/generate", prompt="Once")[-1].data["job_id"]

    with http.stream("GET", f"/v1/jobs/{job_id}/stream", params={"starting_after": after}) as response:
        rest = list(frames(response))

    assert "".join(line.data["token"] for line in rest[:-1]) == "".join(worker.texts[after:])
    assert rest[-1].data["full_text"] == TEXT


def test_a_job_that_fails_is_a_last_line_with_the_error(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.finish_reason = "error"
    worker.error = {"message": "Lost.", "type": "server_error", "param": None, "code": "worker_lost"}

    read = streamed(http, "/api/generate", prompt="Once")

    assert (read[-1].event, read[-1].data["done"], read[-1].data["error"]["code"]) == ("message", True, "worker_lost")


def test_the_models_tell_which_of_them_are_loaded(http: httpx.Client, worker: ScriptedWorker) -> None:
    models = {model["name"]: model for model in http.get("/api/models").json()["models"]}

    assert models["drover-tiny"]["loaded"] is True
    assert models["all-minilm-l6-v2"]["loaded"] is False


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/api/chat", {}, {}),
        ("/api/chat", {"message": "a", "messages": [{"role": "user", "content": "a"}]}, {}),
        ("/api/chat", {"message": ""}, {}),
        ("/api/chat", {"message": "a"}, {"Idempotency-Key": "k"}),
        ("/api/chat", {"message": "a", "temperature": 3}, {}),
        ("/api/generate", {"prompt": ""}, {}),
        ("/api/embeddings", {"input": []}, {}),
    ],
)
def test_bad_input_is_a_400(http: httpx.Client, path: str, body: dict[str, Any], headers: dict[str, str]) -> None:
    assert http.post(path, json=body, headers=headers).status_code == 400


def test_a_conversation_of_another_tenant_is_not_there(http: httpx.Client) -> None:
    assert http.post("/api/chat", json={"message": "a", "session_id": "sess_none"}).status_code == 404
