"""One stack with the simulated engine for all tests of the commands that ask a server."""

import os
from collections.abc import Callable, Iterator
from subprocess import CompletedProcess

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.stack import Stack, running_stack

Drover = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="session")
def serving() -> Iterator[Stack]:
    """Slow enough to be interrupted: an answer takes two seconds."""
    with running_stack(
        "--engine", "simulated", WORKER_SIMULATED_STEP_MS="20", WORKER_SIMULATED_ANSWER_TOKENS="100"
    ) as running:
        yield running


@pytest.fixture
def environment(serving: Stack) -> dict[str, str]:
    """The variables that `. .drover/env` sets, and none of the tester's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DROVER_")}
    return {**kept, "DROVER_URL": serving.url, "DROVER_API_KEY": serving.api_key}


@pytest.fixture
def drover(serving: Stack) -> Drover:
    """A command in this process, which costs no second to start; standard input is a pipe."""

    def run(*arguments: str, stdin: str = "", **environment: str) -> CompletedProcess[str]:
        variables = {"DROVER_URL": serving.url, "DROVER_API_KEY": serving.api_key, "DROVER_SESSION": "", **environment}
        done = CliRunner().invoke(app, list(arguments), input=stdin, env=variables)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run
