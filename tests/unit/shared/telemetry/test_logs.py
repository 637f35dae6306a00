import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import logging
import structlog
from shared.telemetry import configure_logging, log_context
configure_logging("test", {level!r})
log = structlog.get_logger("drover.test")
{body}
"""


def lines(body: str, level: str = "INFO") -> list[dict[str, Any]]:
    """What a program logs: each line of its stdout, parsed. A process of its own, as logging is global."""
    program = PROGRAM.format(level=level, body=body)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_line_is_one_json_object() -> None:
    (line,) = lines("log.info('model_loaded', model='tiny', duration_s=0.5)")

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "model_loaded",
        "level": "info",
        "logger": "drover.test",
        "service": "test",
        "model": "tiny",
        "duration_s": 0.5,
    }


def test_the_standard_librarys_lines_have_the_same_shape() -> None:
    for name in ("uvicorn.error", "celery.worker", "anything"):
        (line,) = lines(f"logging.getLogger({name!r}).warning('%s of %d', 'one', 2)")

        assert (line["event"], line["level"], line["logger"], line["service"]) == ("one of 2", "warning", name, "test")


def test_context_is_on_every_line_inside_it() -> None:
    inside, outside = lines(
        "with log_context(job_id='j1', tenant_id='t1'):\n    logging.getLogger('x').warning('in')\nlog.info('out')"
    )

    assert (inside["job_id"], inside["tenant_id"]) == ("j1", "t1")
    assert "job_id" not in outside


def test_lines_below_the_level_are_dropped() -> None:
    assert lines("log.info('no')\nlogging.getLogger('x').info('no')", level="WARNING") == []


@pytest.mark.parametrize("field", ["prompt", "completion", "content", "messages", "text", "api_key", "authorization"])
def test_a_field_that_could_hold_a_prompt_or_a_key_is_blanked(field: str) -> None:
    (line,) = lines(f"log.info('x', {field}='secret')")

    assert line[field] == "[not logged]"


def test_a_traceback_shows_no_variables() -> None:
    body = (
        "def fail(text):\n    raise ValueError('oh')\n"
        "try:\n    fail('my ' + 'secret')\nexcept ValueError:\n    log.exception('x')"
    )

    (line,) = lines(body)

    assert "ValueError: oh" in line["exception"]
    assert "my secret" not in json.dumps(line)


@pytest.mark.parametrize("name", ["sqlalchemy.engine.Engine", "httpx", "httpcore.http11", "uvicorn.access"])
def test_libraries_that_log_statements_or_headers_stay_quiet_at_any_level(name: str) -> None:
    assert lines(f"logging.getLogger({name!r}).info('INSERT secret')", level="DEBUG") == []


def test_what_json_does_not_know_is_described() -> None:
    (line,) = lines("log.info('x', value={1: object, 'path': __import__('pathlib').Path('/a')})")

    assert line["value"]["path"] == "PosixPath('/a')"


def test_an_unknown_level_means_info() -> None:
    assert len(lines("log.debug('no')\nlog.info('yes')", level="LOUD")) == 1
