import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

from gateway.follow import Followed
from gateway.heading import Heading
from gateway.running import Running
from gateway.text.several import SeveralPrompts
from gateway.text.stream import TextStream
from shared.errors import DroverError
from shared.events import TokensEvent
from shared.job import AnswerForm


class FailingJobs:
    """Jobs that each say a word and fail, all before anybody has read anything."""

    def __init__(self) -> None:
        self.given_up: list[str] = []

    async def frames(self, running: Running, part: TextStream) -> AsyncGenerator[bytes, None]:
        yield part.tokens([TokensEvent(running.followed.job_id, 1, 1, [7], ["word"])])
        yield part.failed(DroverError("It broke."))

    def give_up(self, running: Running) -> None:
        self.given_up.append(running.followed.job_id)


def running(job_id: str) -> Running:
    form = AnswerForm(api="completions")
    return Running(Followed(job_id, "t", 0, 0.0, False), Heading(job_id, "m", 1700000000, "fp_x", form=form))


def test_the_error_of_a_prompt_is_told_however_many_frames_wait_before_it() -> None:
    async def told(several: SeveralPrompts) -> list[bytes]:
        frames = []
        async for data in several.frames():
            frames.append(data)
            await asyncio.sleep(0)  # so that the readers go on while the caller is slow
        return frames

    jobs = FailingJobs()

    frames = asyncio.run(told(SeveralPrompts(cast(Any, jobs), [running("a"), running("b")])))

    assert frames[-1].startswith(b"event: error")
    assert sum(frame.startswith(b"event: error") for frame in frames) == 1
    assert jobs.given_up == ["a", "b"]
