"""The stack of docker-compose.yml as a project of its own, for a test."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from scripts.compose_variables import COMPOSE_VARIABLES
from tests.servers import docker_answers, free_port

ROOT = Path(__file__).parents[2]
IMAGES = ("gateway", "worker", "session-service", "embedding-service", "cli")
API_KEY = "drv_devuser_development-only-change-me"
UP_S = 400
COMMAND_S = 120


@dataclass
class ComposeStack:
    """`environment`: what stands in .env, so to say. `url` is nginx's."""

    project: str
    port: int
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self, environment: Mapping[str, str] | None = None) -> None:
        """Everything up and healthy, under these settings besides."""
        self.environment.update(environment or {})
        self.compose("up", "--detach", "--wait", "--no-build", timeout_s=UP_S)

    def compose(self, *arguments: str, timeout_s: float = COMMAND_S, is_checked: bool = True) -> str:
        """Run `docker compose` and give what it printed. Raises AssertionError if it fails."""
        known = {name for name, _, _ in COMPOSE_VARIABLES}
        inherited = {name: value for name, value in os.environ.items() if name not in known}
        settings = {"DROVER_PORT": str(self.port), **self.environment}
        command = ["docker", "compose", "--project-name", self.project, "--env-file", "/dev/null", *arguments]
        done = subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env={**inherited, **settings},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert not is_checked or done.returncode == 0, (
            f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )
        return done.stdout

    def crash(self, service: str, index: int = 1) -> None:
        """kill -9 of all that its init has started; the restart policy is what brings it back."""
        self.compose("exec", "-T", "--index", str(index), service, "sh", "-c", "kill -9 -1", is_checked=False)

    def kill(self, service: str) -> None:
        """kill -9 of a server, and its start: Docker does not restart what was killed by hand."""
        self.compose("kill", service)
        self.compose("start", service)

    def restarts(self, service: str) -> int:
        """How often Docker has started its containers again by itself."""
        containers = self.compose("ps", "--quiet", service).split()
        counts = subprocess.check_output(["docker", "inspect", "--format", "{{.RestartCount}}", *containers], text=True)
        return sum(map(int, counts.split()))

    def leftovers(self) -> list[str]:
        """Containers, volumes and networks that there are of this project."""
        label = f"label=com.docker.compose.project={self.project}"
        listings = (["ps", "--all"], ["volume", "ls"], ["network", "ls"])
        asked = [["docker", *listing, "--quiet", "--filter", label] for listing in listings]
        return [line for command in asked for line in subprocess.check_output(command, text=True).split()]


def missing() -> str:
    """Why the stack cannot be tested here; '' where it can."""
    if not shutil.which("docker") or not docker_answers():
        return "no Docker answers"
    for image in IMAGES:
        inspect = ["docker", "image", "inspect", f"drover-{image}:dev"]
        if subprocess.run(inspect, check=False, capture_output=True).returncode:
            return f"there is no image drover-{image}:dev: run `make images`"
    return ""


@contextmanager
def compose_stack(environment: Mapping[str, str]) -> Iterator[ComposeStack]:
    """Up, and down with all its data. Raises AssertionError if something of it is left."""
    stack = ComposeStack(f"drover-test-{uuid4().hex[:8]}", free_port(), dict(environment))
    try:
        stack.up()
        yield stack
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            stack.compose("down", "--volumes", "--timeout", "10", is_checked=False)
    assert stack.leftovers() == []
