"""A generation over connections that break: on a real stack, through a relay that cuts."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from urllib.parse import urlsplit

import pytest

from cli.client import generation as generation_module
from cli.client.api import Api
from cli.client.errors import UnreachableError
from cli.client.generation import Generation
from cli.conversation import Conversation
from cli.sampling import Sampling
from tests.stack import Stack


class Relay:
    """Passes bytes on to a gateway; each of its first connections is cut after so many bytes of the answer."""

    def __init__(self, target: str, cuts: list[int]):
        parts = urlsplit(target)
        self.target = (parts.hostname, parts.port)
        self.cuts = cuts
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.connections += 1
                limit = self.cuts.pop(0) if self.cuts else None
                server = socket.create_connection(self.target)
                Thread(target=self._pass_on, args=(client, server, None), daemon=True).start()
                Thread(target=self._pass_on, args=(server, client, limit), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(256):
                passed += len(data)
                if limit is not None and passed > limit:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def through(serving: Stack) -> Iterator[Relay]:
    relay = Relay(serving.url, [])
    yield relay
    relay.listener.close()


def story(serving: Stack, relay: Relay, **options: int) -> tuple[Generation, str]:
    """A generation through the relay with the session made elsewhere, so that the first connection is the stream's."""
    direct = Conversation(Api([serving.url], serving.api_key), serving.model, sampling=Sampling(**options))
    direct.session_id = direct.api.sessions.create()
    relayed = Conversation(
        Api([relay.url], serving.api_key), serving.model, direct.session_id, sampling=direct.sampling
    )
    return relayed.say("Tell me a story.", lambda said: None), direct.session_id


@pytest.mark.parametrize("cut", [0, 700, 4000])
def test_a_cut_stream_goes_on_after_its_last_token(serving: Stack, through: Relay, cut: int) -> None:
    through.cuts = [cut, 900]
    generation, session_id = story(serving, through, max_tokens=40)

    pieces = list(generation.pieces())

    answer = generation.answer
    assert through.connections == 3
    assert "".join(piece.text for piece in pieces) == answer.text
    assert (answer.finish_reason, answer.usage["completion_tokens"]) == ("length", 40)
    stored = list(Api([serving.url], serving.api_key).sessions.messages(session_id))
    assert [message["content"] for message in stored] == ["Tell me a story.", answer.text]


def test_a_raw_completion_goes_on_in_its_own_shape(serving: Stack, through: Relay) -> None:
    through.cuts = [1500, 900]
    body = {"model": serving.model, "prompt": "Once upon a time", "max_tokens": 40}

    cut = Api([through.url], serving.api_key).complete(body)
    pieces = list(cut.pieces())
    whole = Api([serving.url], serving.api_key).complete(body)
    list(whole.pieces())

    assert through.connections == 3
    assert "".join(piece.text for piece in pieces) == cut.answer.text == whole.answer.text
    assert cut.answer.usage["completion_tokens"] == whole.answer.usage["completion_tokens"] == 40


def test_a_gateway_that_does_not_come_back_is_given_up(
    serving: Stack, through: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation_module, "RESUME_WAIT_S", 0.5)
    through.cuts = [2000] + [0] * 100
    generation, _ = story(serving, through, max_tokens=40)

    with pytest.raises(UnreachableError, match="No gateway answers"):
        list(generation.pieces())

    assert generation.answer.text
    assert through.connections > 2


def test_a_generation_that_was_cancelled_before_its_first_sign_ends_on_the_server(
    serving: Stack, through: Relay
) -> None:
    generation, session_id = story(serving, through)
    generation.cancel()

    assert generation.answer.job_id
    with serving.client() as client:
        job = client.get(f"/v1/jobs/{generation.answer.job_id}").json()
        assert (job["state"], job["session_id"]) == ("cancelled", session_id)


def test_a_second_message_waits_for_the_turn_before_it(serving: Stack, through: Relay) -> None:
    said: list[str] = []
    talk = Conversation(Api([serving.url], serving.api_key), serving.model, sampling=Sampling(max_tokens=60))
    first = talk.say("Tell me a story.", lambda words: None)
    pieces = first.pieces()
    next(pieces)

    second = talk.say("Another one.", said.append)
    texts = list(second.pieces())

    assert texts
    assert "waiting for the turn before" in said
    assert second.answer.finish_reason == "length"
    pieces.close()
