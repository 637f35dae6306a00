"""Several prompts of one request: a job each, started together, told together, given up together."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from gateway.ask import Ask, Asked
from gateway.caller import Caller
from gateway.completion import Completions
from gateway.running import Running
from gateway.text.stream import TextStream
from gateway.text.whole import WholeText, document, total
from shared.events import Usage

Frames = asyncio.Queue[tuple[bytes, bool] | None]
"""Of all prompts as they come: the bytes, and whether they tell an error. None: a prompt has ended."""


class SeveralPrompts:
    """The jobs of one request, in the order of their prompts. One that fails ends them all."""

    def __init__(self, completions: Completions, runnings: Sequence[Running]):
        self._completions = completions
        self._runnings = runnings

    @classmethod
    async def started(
        cls, completions: Completions, asked: Asked, asks: Sequence[Ask], caller: Caller
    ) -> "SeveralPrompts":
        """All the jobs, or none: raises every error of admission, CallerGoneError."""
        several = cls(completions, runnings := [])
        try:
            for place, ask in enumerate(asks):
                runnings.append(await completions.start(asked_of_prompt(asked, ask, place), caller))
        except BaseException:
            several.give_up()
            raise
        return several

    def give_up(self) -> None:
        for running in self._runnings:
            self._completions.give_up(running)

    def headers(self) -> dict[str, str]:
        """What the last job left of the limits, and the ids of all."""
        ids = ",".join(running.followed.job_id for running in self._runnings)
        return {**self._runnings[-1].headers(), "x-job-id": ids}

    async def whole(self, caller: Caller) -> bytes:
        """Raises what a job failed with, DeadlineExceededError, CallerGoneError."""
        parts = [
            WholeText(running.heading, first_index=place * running.heading.form.choices)
            for place, running in enumerate(self._runnings)
        ]
        for running, part in zip(self._runnings, parts, strict=True):
            try:
                await self._completions.whole(running, part, caller)
            except BaseException:
                self.give_up()
                raise
        return document(parts)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The prompts' chunks as they come, none of them with an id: there is no one place to go on from."""
        parts = [
            TextStream(running.heading, first_index=place * running.heading.form.choices, is_alone=False)
            for place, running in enumerate(self._runnings)
        ]
        queue: Frames = asyncio.Queue(maxsize=len(parts))
        readers = [
            asyncio.create_task(self._read(running, part, queue))
            for running, part in zip(self._runnings, parts, strict=True)
        ]
        try:
            left = len(readers)
            while left:
                told = await queue.get()
                if told is None:
                    left -= 1
                    continue
                data, is_error = told
                yield data
                if is_error:
                    self.give_up()
                    return
            yield parts[0].ending(total([part.usage or Usage() for part in parts]))
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    async def _read(self, running: Running, part: TextStream, queue: Frames) -> None:
        async with aclosing(self._completions.frames(running, part)) as frames:
            async for data in frames:
                if data:
                    await queue.put((data, part.error is not None))
        await queue.put(None)


def asked_of_prompt(asked: Asked, ask: Ask, place: int) -> Asked:
    """The part of a request that one prompt is. Its job is known by the request's key and its place, a single one's
    too: the same key with fewer prompts is then another body, and not another request."""
    key = asked.idempotency_key and f"{asked.idempotency_key}#{place}"
    return replace(asked, ask=ask, idempotency_key=key)
