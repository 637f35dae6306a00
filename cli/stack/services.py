"""The four services as processes: their commands, their environment, their ports."""

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from cli.stack.description import Role
from cli.stack.liveness import answers_live
from cli.stack.ports import LOOPBACK
from cli.stack.process import ProcessSpec
from cli.stack.secrets_file import StackSecrets
from cli.stack.state_dir import StateDir
from shared.cgroup import allowed_cores, within_cpu_limit

_WORKER_START_S = 300  # it loads the first model before it is ready
_WORKER_STOP_S = 40  # a draining worker finishes what it can first
_GATEWAY_STOP_S = 25


@dataclass(frozen=True)
class ServicePorts:
    """Loopback ports, one for each process."""

    session_service: int
    embedding_service: int
    gateways: list[int]
    workers: list[int] = field(default_factory=list)
    """Where the workers answer /readyz and /metrics."""


@dataclass(frozen=True)
class Services:
    """What all services of one stack need to know."""

    state: StateDir
    secrets: StackSecrets
    redis_url: str
    database_url: str
    models_folder: Path
    engine: str
    ports: ServicePorts
    preload: str
    is_embedding_missing: bool = False
    """Its service then counts as up without the model: `drover up` has warned, and the file may come later."""

    @property
    def gateway_urls(self) -> list[str]:
        return [f"http://{LOOPBACK}:{port}" for port in self.ports.gateways]

    @property
    def environment(self) -> dict[str, str]:
        """The caller's own environment, so that every setting of a service can be given to `drover up`, and ours."""
        return {
            **os.environ,
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.database_url,
            "DROVER_MODELS_DIR": str(self.models_folder),
            "DROVER_INTERNAL_TOKEN": self.secrets.internal_token,
            "SESSION_KEY_PEPPER": self.secrets.key_pepper,
            "PYTHONUNBUFFERED": "1",
        }

    def session_service(self) -> ProcessSpec:
        port = self.ports.session_service
        return self._http("session_service", "session_service", port, {"SESSION_HOST": LOOPBACK, "SESSION_PORT": port})

    def embedding_service(self) -> ProcessSpec:
        port = self.ports.embedding_service
        settings: dict[str, object] = {"EMBEDDING_HOST": LOOPBACK, "EMBEDDING_PORT": port}
        spec = self._http("embedding_service", "embedding_service", port, settings)
        return replace(spec, is_ready=lambda: answers_live(LOOPBACK, port)) if self.is_embedding_missing else spec

    def gateways(self) -> list[ProcessSpec]:
        return [self._gateway(number, port) for number, port in enumerate(self.ports.gateways, start=1)]

    def workers(self) -> list[ProcessSpec]:
        return [self._worker(number, port) for number, port in enumerate(self.ports.workers, start=1)]

    def _gateway(self, number: int, port: int) -> ProcessSpec:
        settings = {
            "GATEWAY_HOST": LOOPBACK,
            "GATEWAY_PORT": port,
            "GATEWAY_SESSION_SERVICE_URL": f"http://{LOOPBACK}:{self.ports.session_service}",
            "GATEWAY_EMBEDDING_SERVICE_URL": f"http://{LOOPBACK}:{self.ports.embedding_service}",
        }
        return self._http("gateway", f"gateway-{number}", port, settings, stop_timeout_s=_GATEWAY_STOP_S)

    def _worker(self, number: int, port: int) -> ProcessSpec:
        settings: dict[str, object] = {"WORKER_METRICS_PORT": port, "WORKER_ENGINE": self.engine}
        shared_out = {
            "WORKER_THREADS": threads_per_worker(len(self.ports.workers)),
            "WORKER_PRELOAD": self.preload,  # the first request finds its model loaded
        }
        settings |= {name: value for name, value in shared_out.items() if name not in os.environ}
        return self._http(
            "worker", f"worker-{number}", port, settings, stop_timeout_s=_WORKER_STOP_S, start_timeout_s=_WORKER_START_S
        )

    def _http(
        self,
        role: Role,
        name: str,
        port: int,
        settings: dict[str, object],
        *,
        start_timeout_s: float = 90,
        stop_timeout_s: float = 10,
    ) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            role=role,
            command=(sys.executable, "-m", f"{role}.main"),
            environment={**self.environment, **{key: str(value) for key, value in settings.items()}},
            log=self.state.log(name),
            is_ready=lambda: answers_ready(f"http://{LOOPBACK}:{port}"),
            is_alive=lambda: answers_live(LOOPBACK, port),
            address=f"{LOOPBACK}:{port}",
            start_timeout_s=start_timeout_s,
            stop_timeout_s=stop_timeout_s,
        )


def threads_per_worker(workers: int) -> int:
    """The cores that this machine or container gives, shared out among the workers; at least one each."""
    return max(1, within_cpu_limit(allowed_cores()) // max(1, workers))


def answers_ready(url: str) -> bool:
    """Whether /readyz there answers 200 within 2 s."""
    try:
        return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
