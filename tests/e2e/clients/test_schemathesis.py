"""Our OpenAPI page, read by Schemathesis: whatever it makes of it, no answer is a server's error."""

import os
import re
from pathlib import Path

import pytest

from tests.e2e.clients.test_clients import PATIENCE_S, run
from tests.stack import Stack

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "4")
"""For each endpoint; 60 make about 2,000 cases (`make conformance`)."""

MAX_TIME_S = os.environ.get("SCHEMATHESIS_TIME_S", "40")


@pytest.mark.timeout(PATIENCE_S)
def test_no_request_is_answered_with_a_servers_error(stack: Stack, tmp_path: Path) -> None:
    done = run(
        stack,
        str(Path(__file__).parents[3] / ".build" / "clients" / "bin" / "st"),
        *("run", f"{stack.url}/openapi.json", "--header", f"Authorization: Bearer {stack.api_key}"),
        *("--checks", "not_a_server_error,content_type_conformance", "--phases", "fuzzing"),
        *("--max-examples", EXAMPLES, "--max-time", MAX_TIME_S, "--workers", "4", "--continue-on-failure"),
        *("--request-timeout", "30", "--no-color", "--warnings", "off", "--suppress-health-check", "all"),
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    made = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert made is not None, done.stdout
    assert int(made[1]) == int(made[2]) >= 100, done.stdout
