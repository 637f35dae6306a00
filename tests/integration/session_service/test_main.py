"""The service as a real process."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from session_service.settings import SessionSettings


@pytest.fixture
def environment(settings: SessionSettings, tmp_path: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SESSION_")},
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url,
        "SESSION_KEY_PEPPER": settings.key_pepper.get_secret_value(),
        "DROVER_INTERNAL_TOKEN": settings.internal_token.get_secret_value(),
        "DROVER_MODELS_DIR": str(settings.models_dir),
    }


def test_the_service_starts_answers_and_stops(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "session_service.main"],
        env={**environment, "SESSION_PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/readyz", process)
        shown = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert 'drover_requests_total{method="GET",route="/readyz",status="200"}' in shown
    finally:
        process.terminate()
        assert process.wait(30) == 0


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, "the service has ended"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("the service does not become ready")
