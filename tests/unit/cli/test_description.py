"""stack.json."""

import json
from pathlib import Path

from cli.stack.description import ProcessDescription, StackDescription

STACK = StackDescription(
    url="http://127.0.0.1:8080",
    gateways=["http://127.0.0.1:8080"],
    api_key="drv_user",
    admin_key="drv_admin",
    model="drover-tiny",
    embedding_model="all-minilm-l6-v2",
    redis_url="redis://127.0.0.1:20001/0",
    database_url="postgresql://127.0.0.1:20002/postgres",
    processes=[ProcessDescription(name="worker-1", role="worker", pid=7, log="/logs/worker-1.log")],
)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    STACK.write(tmp_path / "stack.json")

    assert StackDescription.read(tmp_path / "stack.json") == STACK


def test_the_file_has_the_promised_fields_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"

    STACK.write(path)

    assert set(json.loads(path.read_text())) == {
        *("url", "gateways", "api_key", "admin_key", "model", "embedding_model", "redis_url", "database_url"),
        "processes",
    }
    assert json.loads(path.read_text())["processes"][0].keys() == {"name", "role", "pid", "log", "address"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_or_half_written_file_describes_no_stack(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    assert StackDescription.read(path) is None

    path.write_text('{"url": "http')

    assert StackDescription.read(path) is None
