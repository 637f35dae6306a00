"""Brings the parts of a stack up in their order: servers, schema, session service, keys, all other services."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cli.settings import CliSettings
from cli.stack import admin
from cli.stack.description import StackDescription
from cli.stack.models import StackModels
from cli.stack.ports import DEFAULT_GATEWAY_PORT, LOOPBACK, Ports
from cli.stack.postgres import EmbeddedPostgres
from cli.stack.process import ProcessSpec
from cli.stack.reachability import require_postgres, require_redis, without_password
from cli.stack.secrets_file import StackSecrets
from cli.stack.services import ServicePorts, Services
from cli.stack.state_dir import StateDir
from cli.stack.supervisor import Supervisor
from cli.stack.valkey import EmbeddedRedis


@dataclass(frozen=True)
class StackOptions:
    """What `drover up` was asked for. `port` None: 8080, or the next free one.

    `hung_after_s`: a service whose /livez is silent or bad for so long is started again.
    """

    state_dir: Path
    gateways: int = 1
    workers: int = 1
    engine: str = "llama"
    port: int | None = None
    hung_after_s: float = 30.0


class Assembly:
    """Starts everything under `supervisor`, and says a line with its time for each step."""

    def __init__(
        self,
        options: StackOptions,
        settings: CliSettings,
        state: StateDir,
        supervisor: Supervisor,
        say: Callable[[str], None],
    ):
        self._options = options
        self._settings = settings
        self._state = state
        self._supervisor = supervisor
        self._say = say
        self._ports = Ports()

    def bring_up(self) -> StackDescription:
        """Returns when every process is ready. Raises StackError, StopRequestedError."""
        begun = time.monotonic()
        models = StackModels.of(self._settings.models_folder, self._options.engine)
        models.require_files(self._say)
        gateway_ports = self._choose_gateway_ports()
        secrets = StackSecrets.load_or_create(self._state.secrets_file)
        redis_url, database_url = self._start_servers(secrets)
        services = Services(
            state=self._state,
            secrets=secrets,
            redis_url=redis_url,
            database_url=database_url,
            models_folder=self._settings.models_folder,
            engine=self._options.engine,
            ports=self._choose_service_ports(gateway_ports),
            preload=models.chat,
            is_embedding_missing=models.is_embedding_missing,
        )
        secrets = self._start_services(services)
        self._say(f"the stack is up ({time.monotonic() - begun:.1f} s)")
        return StackDescription(
            url=services.gateway_urls[0],
            gateways=services.gateway_urls,
            api_key=secrets.api_key,
            admin_key=secrets.admin_key,
            model=models.chat,
            embedding_model=models.embedding,
            redis_url=redis_url,
            database_url=database_url,
            processes=[],
        )

    def _choose_gateway_ports(self) -> list[int]:
        if self._options.port is not None:
            first = self._ports.exactly(self._options.port)
        else:
            first = self._ports.at_or_after(DEFAULT_GATEWAY_PORT)
            if first != DEFAULT_GATEWAY_PORT:
                self._say(f"port {DEFAULT_GATEWAY_PORT} is taken: the gateway will listen on {first}")
        return [first, *(self._ports.any() for _ in range(self._options.gateways - 1))]

    def _choose_service_ports(self, gateways: list[int]) -> ServicePorts:
        return ServicePorts(
            session_service=self._ports.any(),
            embedding_service=self._ports.any(),
            gateways=gateways,
            workers=[self._ports.any() for _ in range(self._options.workers)],
        )

    def _start_servers(self, secrets: StackSecrets) -> tuple[str, str]:
        """Redis and Postgres: those named by URL after a look at them, else the embedded ones. Answers their URLs."""
        specs: list[ProcessSpec] = []
        if redis_url := self._settings.redis_url:
            self._step(f"Redis answers at {without_password(redis_url)}", lambda: require_redis(redis_url))
        else:
            valkey = EmbeddedRedis(
                self._state.redis_dir, self._ports.any(), secrets.redis_password, self._state.log("redis")
            )
            valkey.prepare()
            specs.append(valkey.spec())
            redis_url = valkey.url
        if database_url := self._settings.database_url:
            self._step(f"Postgres answers at {without_password(database_url)}", lambda: require_postgres(database_url))
        else:
            postgres = EmbeddedPostgres(
                self._state.postgres_dir, self._ports.any(), secrets.postgres_password, self._state.log("postgres")
            )
            self._step("the database's files are there", postgres.prepare)
            for folder in postgres.opened_folders:
                self._say(f"{folder} may now be passed by every user (o+x): Postgres does not run as root")
            specs.append(postgres.spec())
            database_url = postgres.url
        self._supervisor.start(specs)
        return redis_url, database_url

    def _start_services(self, services: Services) -> StackSecrets:
        self._step("the database has the present schema", lambda: admin.migrate(services.environment))
        kept = services.secrets
        with ThreadPoolExecutor(1) as pool:
            # The services do not wait for the keys, so that a first start takes no longer than the slowest of them.
            making = None if kept.api_key else pool.submit(self._make_keys, services)
            self._supervisor.start(
                [
                    services.session_service(),
                    services.embedding_service(),
                    *services.workers(),
                    *services.gateways(),
                ]
            )
            if making is not None:
                return making.result()
        url = f"http://{LOOPBACK}:{services.ports.session_service}"
        is_known = all(admin.is_valid_key(url, kept.internal_token, key) for key in (kept.api_key, kept.admin_key))
        return kept if is_known else self._make_keys(services)

    def _make_keys(self, services: Services) -> StackSecrets:
        begun = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            user, administrator = pool.map(lambda role: admin.create_key(services.environment, role), ("user", "admin"))
        made = services.secrets.with_keys(api_key=user, admin_key=administrator)
        made.save(self._state.secrets_file)
        self._say(f"the tenant `{admin.DEFAULT_TENANT}` has its keys ({time.monotonic() - begun:.1f} s)")
        return made

    def _step(self, done: str, act: Callable[[], object]) -> None:
        begun = time.monotonic()
        act()
        self._say(f"{done} ({time.monotonic() - begun:.1f} s)")
