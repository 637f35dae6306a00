"""`drover bench`: a short load on any server with OpenAI's API, measured as its users would feel it."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from cli.bench.client import BenchClient
from cli.bench.load import Amount, Step
from cli.bench.table import error_lines, live_view, table_of
from cli.exit_status import INTERRUPTED, REFUSED
from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.settings import CliSettings
from cli.stack.errors import StackError
from cli.target import Target, addresses, find_target
from cli.terminal import console, errors, errors_as_sentences, printable

_SECONDS = 10.0
_REFRESH_S = 0.25


def bench(
    streams: Annotated[str, typer.Option(help="How many at once, one step after the other.")] = "1,4,16",
    requests: Annotated[int | None, typer.Option(min=1, help="So many in each step, instead of --seconds.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help=f"New ones for so long in each step.  [default: {_SECONDS:g}]")
    ] = None,
    prompt: Annotated[str, typer.Option(help="What is asked.")] = "Tell me a story.",
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest answer.")] = 128,
    ignore_eos: Annotated[
        bool, typer.Option("--ignore-eos", help="Every answer as long as that (Drover, llama-server, vLLM).")
    ] = False,
    model: Annotated[str | None, typer.Option(help="The model.  [default: the server's first]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    url: Annotated[str | None, typer.Option(help="The server.  [default: DROVER_URL, or the stack's]")] = None,
    api_key: Annotated[str | None, typer.Option(help="The key.  [default: DROVER_API_KEY, or the stack's]")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Give up an answer that is silent for so many seconds.")] = 60,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Measure first token, inter-token and end-to-end times, tokens/s and errors of a server.

    Works with Drover and with any other server that has /v1/chat/completions. Ctrl-C prints what was measured so far.
    Exit status 1 if a request failed.
    """
    if requests is not None and seconds is not None:
        raise typer.BadParameter("--requests and --seconds are two ways to say how much: give one.")
    amount = Amount(requests) if requests is not None else Amount(seconds=seconds or _SECONDS)
    steps = [Step(count, amount) for count in _counts(streams)]
    body: dict[str, Any] = {"max_tokens": max_tokens, "messages": [{"role": "user", "content": prompt}], "stream": True}
    body |= {"stream_options": {"include_usage": True}} | ({"ignore_eos": True} if ignore_eos else {})
    with errors_as_sentences():
        target = _target(CliSettings.load(), state_dir, url, api_key)
        run = _Bench(target, model or target.model, steps, body, timeout)
        is_interrupted = run.is_interrupted()
        run.report(as_json=as_json)
    if is_interrupted:
        raise typer.Exit(INTERRUPTED)
    if any(step.summary.errors for step in steps):
        raise typer.Exit(REFUSED)


class _Bench:
    def __init__(self, target: Target, model: str, steps: list[Step], body: dict[str, Any], timeout_s: float):
        self._url = target.urls[0]
        self._model = model
        self._steps = steps
        self._body = body
        streams = max(step.streams for step in steps)
        self._client = BenchClient(self._url, target.api_key, streams=streams, timeout_s=timeout_s)

    def is_interrupted(self) -> bool:
        """Run all steps, or those before Ctrl-C. Raises ApiError if the first request fails."""
        try:
            asyncio.run(self._run())
        except KeyboardInterrupt:
            return True
        return False

    def report(self, *, as_json: bool) -> None:
        """The figures of all steps that have begun, on standard output; the errors' classes beside them."""
        if as_json:
            done = [{"streams": step.streams, **step.summary.as_json()} for step in self._steps if step.begun_s]
            console.print(json.dumps({"url": self._url, "model": self._model, "steps": done}, indent=2))
            return
        if not any(step.summary.requests for step in self._steps):
            errors.print("No answer was whole before the end: nothing was measured.")
            return
        console.print(table_of(self._steps))
        if not all(step.summary.is_counted for step in self._steps):
            console.print("The server tells no token counts: pieces of text were counted.", style="dim")
        for line in error_lines(self._steps):
            errors.print(printable(line), style="red")

    async def _run(self) -> None:
        try:
            self._model = self._model or await self._client.first_model()
            warm_up_s = await self._client.warm_up(self._asked(0))
            errors.print(f"{self._model} at {self._url}, first answer after {warm_up_s:.2f} s", style="dim")
            showing = asyncio.create_task(self._show())
            try:
                for step in self._steps:
                    await step.run(self._client, self._asked)
            finally:
                showing.cancel()
                await asyncio.wait({showing})
        finally:
            await self._client.close()

    async def _show(self) -> None:
        """Live progress, on a terminal only. Drawn in this loop: a thread would find figures that are half changed."""
        if not errors.is_terminal:
            return
        with Live(console=errors, auto_refresh=False, transient=True) as live:
            while True:
                live.update(live_view(self._steps), refresh=True)
                await asyncio.sleep(_REFRESH_S)

    def _asked(self, number: int) -> dict[str, Any]:
        return {"model": self._model, "seed": number, **self._body}


def _counts(streams: str) -> list[int]:
    try:
        counts = [int(count) for count in streams.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise typer.BadParameter("--streams takes numbers from 1 on with commas between them, like 1,4,16.")
    return counts


def _target(settings: CliSettings, state_dir: Path, url: str | None, api_key: str | None) -> Target:
    """The named server may be one that asks for no key. Raises StackError."""
    try:
        return find_target(settings, state_dir, url, api_key)
    except StackError:
        if named := addresses(url or settings.url):
            return Target(named, api_key or "none")
        raise
