"""The clients that people have already: each runs a program of its own against the stack, in its own environment."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stack import Stack

PROGRAMS = Path(__file__).parent / "programs"
MADE = Path(__file__).parents[3] / ".build" / "clients"
PATIENCE_S = 1200


def run(stack: Stack, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    if not (MADE / "stamp").exists():
        pytest.fail("The clients are not installed: make clients")
    environment = {**os.environ, "BASE_URL": stack.url, "API_KEY": stack.api_key, "NODE_ROOT": str(MADE)}
    # They would report home, and a key of the machine's must not be theirs.
    environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LANGSMITH_TRACING": "false"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.mark.parametrize("program", sorted(PROGRAMS.glob("*.py")), ids=lambda program: program.stem)
def test_a_client_for_python_gets_what_it_expects(stack: Stack, program: Path) -> None:
    done = run(stack, str(MADE / "bin" / "python"), str(program))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif("CI" not in os.environ and not shutil.which("node"), reason="Node is not installed")
def test_openais_client_for_node_gets_what_it_expects(stack: Stack) -> None:
    done = run(stack, "node", str(PROGRAMS / "openai_node.mjs"))

    assert done.returncode == 0, done.stdout + done.stderr
