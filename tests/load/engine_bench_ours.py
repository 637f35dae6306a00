"""Our side of the engine benchmark: a LoadedModel in a process of its own, driven by JSON lines on standard input.

    .venv/bin/python -m tests.load.engine_bench_ours MODEL.gguf --slots 16 --context 1024 --threads 2 --batch-tokens 512

One line in is {"do": name, …}, one line out its answer; the names are the keys of `Engine.answers` below.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from shared.openmp import wait_briefly

wait_briefly()  # as the worker's main does, before llama.cpp is loaded

from shared.catalogue import ModelEntry  # noqa: E402
from shared.errors import DroverError  # noqa: E402
from shared.events import FinalEvent, TokensEvent  # noqa: E402
from shared.job import GenerateJob, SamplingParams  # noqa: E402
from worker.engine.base import Draw, Piece, Sampled  # noqa: E402
from worker.engine.base import Engine as WorkerEngine  # noqa: E402
from worker.engine.llama import LlamaOptions  # noqa: E402
from worker.engine.llama_factory import LlamaFactory  # noqa: E402
from worker.loaded_model import LoadedModel  # noqa: E402
from worker.sequence import SequenceRequest  # noqa: E402


class TimedEngine:
    """An engine that says how long it decoded and sampled; everything else is the engine's own."""

    def __init__(self, engine: WorkerEngine):
        self._engine = engine
        self.steps, self.decode_s, self.sample_s = 0, 0.0, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def reset(self) -> None:
        self.steps, self.decode_s, self.sample_s = 0, 0.0, 0.0

    def decode(self, pieces: Sequence[Piece]) -> None:
        begun = time.perf_counter()
        self._engine.decode(pieces)
        self.decode_s += time.perf_counter() - begun
        self.steps += 1

    def sample(self, draws: Sequence[Draw]) -> list[Sampled | DroverError]:
        begun = time.perf_counter()
        drawn = self._engine.sample(draws)
        self.sample_s += time.perf_counter() - begun
        return drawn


class Stream:
    """What comes back of one job: when each token came, and its end."""

    def __init__(self, on_token: Callable[["Stream"], None] | None = None):
        self.times: list[float] = []
        self.over = threading.Event()
        self.final: FinalEvent | None = None
        self._on_token = on_token

    def emit(self, event: TokensEvent | FinalEvent) -> None:
        if isinstance(event, TokensEvent):
            self.times.extend([time.perf_counter()] * len(event.token_ids))
            if self._on_token:
                self._on_token(self)
        else:
            self.final = event
            self.over.set()


class Side:
    """One loaded model and what can be asked of it."""

    def __init__(self, path: Path, *, slots: int, context: int, threads: int, batch_tokens: int):
        entry = ModelEntry(name="bench", file=path.name, kind="chat", context_length=context)
        options = LlamaOptions(slots=slots, batch_tokens=batch_tokens, threads=threads)
        self._engine = TimedEngine(LlamaFactory(options).open(entry, path))
        self._model = LoadedModel(entry, self._engine, stall_s=600, prefill_stall_s=600)
        self._jobs = 0
        self.answers: dict[str, Callable[..., dict[str, Any]]] = {
            "burst": self.burst,
            "interrupt": self.interrupt,
            "memory": self.memory,
            "cancel": self.cancel,
        }

    def burst(self, prompts: list[list[int]], new_tokens: int, temperature: float, top_p: float) -> dict[str, Any]:
        """Run all prompts at once; the fields of engine_bench_work.Result."""
        self._engine.reset()
        begun = time.perf_counter()
        streams = [self._submit(prompt, new_tokens, temperature, top_p) for prompt in prompts]
        self._wait(streams)
        seconds = time.perf_counter() - begun
        engine = self._engine
        return {
            "seconds": seconds,
            "tokens": sum(len(stream.times) for stream in streams),
            "steps": engine.steps,
            "decode_s": engine.decode_s,
            "sample_s": engine.sample_s,
            "python_s": seconds - engine.decode_s - engine.sample_s,
        }

    def interrupt(self, prompts: list[list[int]], long_prompt: list[int], calm_tokens: int) -> dict[str, Any]:
        """Streams that run, and a long prompt that comes when each has `calm_tokens`.

        Answers the times between tokens before it came and until its first token, in seconds.
        """
        ready = threading.Semaphore(0)

        def count(stream: Stream) -> None:
            if len(stream.times) == calm_tokens:
                ready.release()

        streams = [self._submit(prompt, None, 0.0, 1.0, count) for prompt in prompts]
        for _ in streams:
            ready.acquire()
        came = time.perf_counter()
        intruder = self._submit(long_prompt, 1, 0.0, 1.0)
        self._wait([intruder])
        gone = time.perf_counter()
        for number in range(self._jobs - len(streams), self._jobs):
            self._model.cancel(f"job-{number}", 1)
        self._wait(streams)
        return {"times": [stream.times for stream in streams], "came": came, "gone": gone}

    def memory(self, jobs: int, batch: int, seed: int) -> dict[str, Any]:
        """Bytes of resident memory after a tenth of the jobs and after all of them; each has 12 + 8 tokens."""
        from tests.load.engine_bench_work import Case

        case = Case("memory", batch, own_tokens=12, new_tokens=8)
        resident = []
        for done in range(0, jobs, batch):
            if done >= jobs // 10 and not resident:
                resident.append(psutil.Process().memory_info().rss)
            self._wait([self._submit(prompt, 8, 0.8, 0.95) for prompt in case.burst(seed + done).prompts])
        return {"first": resident[0], "last": psutil.Process().memory_info().rss}

    def cancel(self, prompts: list[list[int]], rounds: int) -> dict[str, Any]:
        """Steps that begin between a cancellation and the end of its job, with all slots busy; one number a round."""
        steps = []
        for round_ in range(rounds):
            first = self._jobs
            streams = [self._submit(prompt, None, 0.0, 1.0) for prompt in prompts]
            while min(len(stream.times) for stream in streams) < 4:
                time.sleep(0.001)
            victim = round_ % len(streams)
            before = self._engine.steps
            self._model.cancel(f"job-{first + victim}", 1)
            streams[victim].over.wait()
            steps.append(self._engine.steps - before)
            for number in range(len(streams)):
                self._model.cancel(f"job-{first + number}", 1)
            self._wait(streams)
        return {"steps": steps}

    def close(self) -> None:
        self._model.close()

    def _submit(
        self,
        prompt: list[int],
        new_tokens: int | None,
        temperature: float,
        top_p: float,
        on_token: Callable[[Stream], None] | None = None,
    ) -> Stream:
        sampling = SamplingParams(temperature=temperature, top_p=top_p, seed=self._jobs, ignore_eos=True)
        job = GenerateJob(
            id=f"job-{self._jobs}",
            tenant_id="bench",
            key_id="bench",
            model="bench",
            model_digest="",
            prompt=tuple(prompt),
            sampling=sampling,
            max_tokens=new_tokens,
        )
        self._jobs += 1
        stream = Stream(on_token)
        self._model.submit(SequenceRequest(job=job, epoch=1, logged=[], emit=stream.emit))
        return stream

    def _wait(self, streams: list[Stream]) -> None:
        for stream in streams:
            stream.over.wait()
            if stream.final is None or stream.final.error:
                raise RuntimeError(f"A job failed: {stream.final}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    for option in ("--slots", "--context", "--threads", "--batch-tokens"):
        parser.add_argument(option, type=int, required=True)
    options = parser.parse_args()
    side = Side(
        options.path,
        slots=options.slots,
        context=options.context,
        threads=options.threads,
        batch_tokens=options.batch_tokens,
    )
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(side.answers[asked.pop("do")](**asked)), flush=True)
    side.close()


if __name__ == "__main__":
    main()
