import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from shared.settings import ConfigurationError
from worker.operations import Operations

STATE = {"redis": "ok"}


@pytest.fixture
def operations() -> Iterator[Operations]:
    STATE["redis"] = "ok"
    operations = Operations("127.0.0.1", 0, liveness=lambda: {"models": "ok"}, readiness=lambda: dict(STATE))
    operations.start()
    yield operations
    operations.stop()


def get(operations: Operations, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{operations.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_worker_is_alive_and_ready_while_its_checks_are_good(operations: Operations) -> None:
    assert get(operations, "/livez")[0] == 200
    assert get(operations, "/readyz") == (200, '{"status":"ok","checks":{"redis":"ok"}}')


def test_it_is_not_ready_when_a_check_is_bad(operations: Operations) -> None:
    STATE["redis"] = "does not answer"

    status, text = get(operations, "/readyz")

    assert status == 503
    assert "does not answer" in text


def test_metrics_are_text(operations: Operations) -> None:
    assert get(operations, "/metrics")[0] == 200


def test_other_pages_do_not_exist(operations: Operations) -> None:
    assert get(operations, "/jobs")[0] == 404


def test_a_taken_port_is_one_sentence() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigurationError, match="WORKER_METRICS_PORT"),
    ):
        Operations("127.0.0.1", taken.getsockname()[1], liveness=dict, readiness=dict)
