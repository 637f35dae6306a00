"""Requests for a batcher, and somebody who collects what comes back."""

import threading
from typing import Any

from shared.bodies.messages import Message
from shared.events import FinalEvent, TokensEvent
from shared.job import GenerateJob, SamplingParams
from worker.sequence import SequenceRequest


def a_job(job_id: str = "j1", text: str = "Tell me about the river.", **fields: Any) -> GenerateJob:
    """A greedy job with one user message; `fields` are GenerateJob's, or SamplingParams' alone."""
    drawn = {name: fields.pop(name) for name in list(fields) if name in SamplingParams.model_fields}
    sampling = fields.pop("sampling", None) or SamplingParams(**{"temperature": 0.0, **drawn})
    values: dict[str, Any] = {"model": "m", "model_digest": "", "max_tokens": 8} | fields
    return GenerateJob(
        id=job_id,
        tenant_id=values.pop("tenant_id", "t"),
        key_id="k",
        messages=(Message(role="user", content=text),),
        sampling=sampling,
        **values,
    )


class Collector:
    """Keeps the events of one job; `wait` blocks until the final one is there."""

    def __init__(self) -> None:
        self.events: list[TokensEvent] = []
        self.finals: list[FinalEvent] = []
        self._finished = threading.Event()
        self._arrived = threading.Condition()

    def __call__(self, event: TokensEvent | FinalEvent) -> None:
        with self._arrived:
            if isinstance(event, FinalEvent):
                self.finals.append(event)
                self._finished.set()
            else:
                self.events.append(event)
            self._arrived.notify_all()

    @property
    def final(self) -> FinalEvent:
        (only,) = self.finals
        return only

    @property
    def token_ids(self) -> list[int]:
        return [token for event in self.events for token in event.token_ids]

    @property
    def text(self) -> str:
        """All text, the final event's included if there is one."""
        tail = self.finals[-1].text if self.finals else ""
        return "".join(text for event in self.events for text in event.texts) + tail

    @property
    def error_code(self) -> str:
        assert self.final.error is not None
        return str(self.final.error["code"])

    def wait(self, timeout_s: float = 60.0) -> FinalEvent:
        assert self._finished.wait(timeout_s), f"no final event after {timeout_s} s, {len(self.events)} tokens"
        return self.final

    def wait_for_tokens(self, count: int, timeout_s: float = 60.0) -> None:
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.events) >= count or self.finals, timeout_s)
        assert arrived, f"{len(self.events)} tokens after {timeout_s} s"


def a_request(
    job: GenerateJob | None = None,
    collector: Collector | None = None,
    *,
    epoch: int = 1,
    logged: list[TokensEvent] | None = None,
) -> SequenceRequest:
    return SequenceRequest(job or a_job(), epoch, logged or [], collector or Collector())
