"""docker-compose.yml keeps what docs/deployment.md says of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from embedding_service.settings import EmbeddingSettings
from gateway.settings import GatewaySettings
from scripts.compose_variables import COMPOSE_VARIABLES
from scripts.configuration import COMPOSE_SERVICES, SECTIONS
from session_service.settings import SessionSettings
from shared.settings import Settings
from tests.unit.deploy.files import ROOT, compose_variables
from worker.settings import WorkerSettings

Services = dict[str, dict[str, Any]]

OURS = {
    "gateway": GatewaySettings,
    "worker": WorkerSettings,
    "session-service": SessionSettings,
    "embedding-service": EmbeddingSettings,
    "migrations": SessionSettings,
}
ONE_SHOTS = {"migrations", "keys", "models", "drover"}
WITHOUT_A_SHELL = {"otel-collector", "log-shipper"}
"""Their image is one program that can ask nothing."""
ROOT_AT_FIRST = {"postgres"}
"""Takes its volume over, then runs as postgres."""
READS_DOCKERS_FILES = {"log-shipper"}


def test_every_container_has_a_read_only_root_and_no_capability_to_spare(services: Services) -> None:
    lax = [
        name
        for name, service in services.items()
        if not (
            service.get("read_only") is True
            and service.get("cap_drop") == ["ALL"]
            and service.get("security_opt") == ["no-new-privileges:true"]
        )
    ]

    assert lax == []


def test_only_those_with_a_reason_start_as_root(services: Services) -> None:
    as_root = {name for name, service in services.items() if str(service.get("user", "0")).split(":")[0] == "0"}

    assert as_root == ROOT_AT_FIRST | READS_DOCKERS_FILES


def test_every_container_has_limits(services: Services) -> None:
    unlimited = [
        name
        for name, service in services.items()
        if {"cpus", "memory", "pids"} - service.get("deploy", {}).get("resources", {}).get("limits", {}).keys()
    ]

    assert unlimited == []


def test_whatever_stays_up_has_a_health_check(services: Services) -> None:
    unchecked = {name for name, service in services.items() if "test" not in service.get("healthcheck", {})}

    assert unchecked == ONE_SHOTS | WITHOUT_A_SHELL


def test_whatever_stays_up_is_started_again(services: Services) -> None:
    kept_down = {name for name, service in services.items() if service["restart"] != "unless-stopped"}

    assert kept_down == ONE_SHOTS


def test_nothing_waits_for_the_health_of_what_has_no_check(services: Services) -> None:
    waits = {
        (name, other)
        for name, service in services.items()
        for other, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy" and "test" not in services[other].get("healthcheck", {})
    }

    assert waits == set()


@pytest.mark.parametrize("name", OURS)
def test_what_compose_sets_are_settings_that_exist(services: Services, name: str) -> None:
    settings: type[Settings] = OURS[name]
    known = {settings.variable_of(field) for field in settings.model_fields}

    assert set(services[name]["environment"]) <= known


@pytest.mark.parametrize("name", COMPOSE_SERVICES)
def test_every_setting_of_a_service_can_stand_in_env(services: Services, name: str) -> None:
    passed = yaml.safe_load((ROOT / "deploy/compose/settings.yml").read_text(encoding="utf-8"))

    assert services[name]["extends"] == {"file": "deploy/compose/settings.yml", "service": name}
    assert passed["services"][name]["environment"]


def test_env_example_names_every_variable_with_its_default() -> None:
    described = {name: default for name, default, _ in COMPOSE_VARIABLES}
    settings = {kind.variable_of(field) for _, _, kind in SECTIONS for field in kind.model_fields}
    used = compose_variables()

    assert {name: used[name] for name in used if name not in settings} == {
        name: default for name, default in described.items() if name != "COMPOSE_PROFILES"
    }


def test_containers_have_longer_to_stop_than_the_services_take(services: Services) -> None:
    grace_s = {name: int(services[name]["stop_grace_period"].removesuffix("s")) for name in COMPOSE_SERVICES}

    assert grace_s["gateway"] > GatewaySettings.model_fields["shutdown_grace_s"].default + 5
    assert grace_s["worker"] > WorkerSettings.model_fields["drain_grace_s"].default + 5
    assert grace_s["embedding-service"] > EmbeddingSettings.model_fields["graceful_shutdown_s"].default + 5


def test_only_loopback_is_published_where_nothing_is_set(services: Services) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_a_secret_is_public_only_by_a_name_that_says_so() -> None:
    endings = ("_PASSWORD", "_TOKEN", "_PEPPER", "_KEY")
    secrets = {name: default for name, default in compose_variables().items() if name.endswith(endings)}
    secrets.pop("HF_TOKEN")  # whoever has none gets what is public

    assert len(secrets) == 8
    assert {name for name, default in secrets.items() if "development-only" not in default} == set()


def test_the_data_services_are_reached_by_nobody_outside(compose: dict[str, Any], services: Services) -> None:
    assert compose["networks"]["backend"]["internal"] is True
    assert {name: services[name]["networks"] for name in ("postgres", "redis", "worker", "session-service")} == {
        "postgres": ["backend"],
        "redis": ["backend"],
        "worker": ["backend"],
        "session-service": ["backend"],
    }


def test_models_are_written_only_by_those_who_fetch_them(services: Services) -> None:
    writers = {
        name for name, service in services.items() if "models:/models" in map(str, service.get("volumes", []))
    }  # fmt: skip

    assert writers == {"models", "drover"}


def test_every_file_that_is_mounted_is_in_the_repository(services: Services) -> None:
    mounted = {
        Path(str(volume).split(":")[0])
        for service in services.values()
        for volume in service.get("volumes", [])
        if str(volume).startswith("./")
    }

    assert {path for path in mounted if not (ROOT / path).exists()} == set()


def test_images_have_a_version(services: Services) -> None:
    images = {service["image"] for service in services.values()}

    assert {image for image in images if ":" not in image or image.endswith(":latest")} == set()
