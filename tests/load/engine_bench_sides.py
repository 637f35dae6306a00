"""The two sides of the engine benchmark as processes: ours over JSON lines, llama-server over its own HTTP API."""

import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.load.engine_bench_build import program
from tests.load.engine_bench_work import Burst, Result

ROOT = Path(__file__).parents[2]
START_S = 120.0


@dataclass(frozen=True)
class Setup:
    """What both sides are started with; `context` are the tokens of one slot."""

    path: Path
    slots: int
    context: int
    threads: int
    batch_tokens: int = 512


class Ours:
    """The worker's LoadedModel, in a process that idles between bursts."""

    def __init__(self, setup: Setup):
        options = ["--slots", setup.slots, "--context", setup.context]
        options += ["--threads", setup.threads, "--batch-tokens", setup.batch_tokens]
        command = [sys.executable, "-m", "tests.load.engine_bench_ours", str(setup.path), *map(str, options)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def run(self, burst: Burst) -> Result:
        return Result(**self.ask("burst", **burst.as_json()))

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def interrupt(self, prompts: list[list[int]], long_prompt: list[int], calm_tokens: int) -> dict[str, Any]:
        return self.ask("interrupt", prompts=prompts, long_prompt=long_prompt, calm_tokens=calm_tokens)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"engine_bench_ours ended with status {self._process.wait()}.")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Peer:
    """llama-server. Bursts are plain POST /completion without streaming: one small answer a request costs the server
    and this client next to nothing, so its engine is measured and not its HTTP."""

    def __init__(self, setup: Setup):
        self._port = _free_port()
        command: list[object] = [program("llama-server"), "-m", setup.path, "--port", self._port, "--host", "127.0.0.1"]
        command += ["-np", setup.slots, "-c", setup.slots * setup.context, "--no-kv-unified", "-fit", "off"]
        command += ["-t", setup.threads, "-tb", setup.threads, "-b", setup.batch_tokens, "-ub", setup.batch_tokens]
        command += ["--cache-ram", 0, "--log-disable", "--threads-http", max(16, setup.slots + 4)]
        null = subprocess.DEVNULL
        self._process = subprocess.Popen([*map(str, command)], stdin=null, stdout=null, stderr=null)
        self._wait_until_ready()

    def run(self, burst: Burst) -> Result:
        with ThreadPoolExecutor(len(burst.prompts)) as pool:
            connections = list(pool.map(lambda _: self._connection(), burst.prompts))
            bodies = [self._body(burst, prompt) for prompt in burst.prompts]
            begun = time.perf_counter()
            answers = list(pool.map(_post, connections, bodies))
            seconds = time.perf_counter() - begun
        tokens = sum(answer["tokens_predicted"] for answer in answers)
        return Result(seconds, tokens)

    def interrupt(self, prompts: list[list[int]], long_prompt: list[int], calm_tokens: int) -> dict[str, Any]:
        """As engine_bench_ours.Side.interrupt; streamed, because the times of single tokens are wanted."""
        streams = [
            _Stream(self._connection(), self._body(Burst([prompt], -1), prompt, stream=True)) for prompt in prompts
        ]
        while min(len(stream.times) for stream in streams) < calm_tokens:
            time.sleep(0.001)
        came = time.perf_counter()
        _post(self._connection(), self._body(Burst([long_prompt], 1), long_prompt))
        gone = time.perf_counter()
        for stream in streams:
            stream.stop()
        return {"times": [stream.times for stream in streams], "came": came, "gone": gone}

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)

    def _body(self, burst: Burst, prompt: list[int], *, stream: bool = False) -> bytes:
        asked: dict[str, Any] = {
            "prompt": prompt,
            "n_predict": burst.new_tokens,
            "ignore_eos": True,
            "temperature": burst.temperature,
            "top_p": burst.top_p,
            "top_k": 0,
            "min_p": 0.0,
            "seed": 1,
            "cache_prompt": True,
            "stream": stream,
        }
        return json.dumps(asked).encode()

    def _connection(self) -> HTTPConnection:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=1800)
        connection.connect()
        return connection

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + START_S
        while True:
            try:
                connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"llama-server did not start (status {self._process.poll()}).")
            time.sleep(0.1)


class _Stream:
    """One streamed answer and when its tokens came; it runs until it is stopped."""

    def __init__(self, connection: HTTPConnection, body: bytes):
        self.times: list[float] = []
        self._connection = connection
        self._stopping = False
        self._thread = threading.Thread(target=self._read, args=(body,))
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()

    def _read(self, body: bytes) -> None:
        self._connection.request("POST", "/completion", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        while not self._stopping and (line := response.readline()):
            if line.startswith(b"data: "):
                self.times.append(time.perf_counter())
        self._connection.close()


def _post(connection: HTTPConnection, body: bytes) -> dict[str, Any]:
    connection.request("POST", "/completion", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"llama-server answered {response.status}: {content[:300]!r}")
    answer: dict[str, Any] = json.loads(content)
    return answer


def batched_bench(setup: Setup, streams: list[int], prompt_tokens: int, new_tokens: int) -> dict[int, float]:
    """Tokens per second of llama-batched-bench by number of streams: llama.cpp alone, without samplers or a server."""
    command: list[object] = [program("llama-batched-bench"), "-m", setup.path, "-c", setup.slots * setup.context]
    command += ["-t", setup.threads, "-tb", setup.threads, "-b", setup.batch_tokens, "-ub", setup.batch_tokens]
    command += ["-npp", prompt_tokens, "-ntg", new_tokens, "-npl", ",".join(map(str, streams))]
    command += ["--no-kv-unified", "-fit", "off", "--output-format", "jsonl"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["pl"]: line["speed_tg"] for line in lines}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
