from collections.abc import Callable
from typing import Any

from k8s.check.environment import check_environment, settings_of
from k8s.check.manifest import Overlay
from shared.catalogue import Catalogue


def settings_map(found: Overlay, service: str) -> str:
    """The name of the service's ConfigMap, hash included."""
    return next(config.name for config in found.of_kind("ConfigMap") if config.name.startswith(f"{service}-settings"))


def test_every_variable_is_a_setting_with_a_value_that_its_service_takes(each_overlay: Overlay) -> None:
    assert check_environment(each_overlay) == []


def test_a_mistyped_setting_is_told(staging: Overlay, changed: Callable[..., Overlay]) -> None:
    name = settings_map(staging, "worker")

    problems = check_environment(changed(staging, "ConfigMap", name, lambda data: data["data"].update(WORKER_SLOT="4")))

    assert any("WorkerSettings has no WORKER_SLOT" in problem for problem in problems)


def test_a_value_that_the_service_refuses_is_told(staging: Overlay, changed: Callable[..., Overlay]) -> None:
    name = settings_map(staging, "worker")

    problems = check_environment(
        changed(staging, "ConfigMap", name, lambda data: data["data"].update(WORKER_DRAIN_GRACE_S="long"))
    )

    assert any("WORKER_DRAIN_GRACE_S" in problem for problem in problems)


def test_a_service_that_only_its_own_pod_can_reach_is_told(staging: Overlay, changed: Callable[..., Overlay]) -> None:
    name = settings_map(staging, "gateway")

    problems = check_environment(
        changed(staging, "ConfigMap", name, lambda data: data["data"].update(GATEWAY_HOST="127.0.0.1"))
    )

    assert any("it listens on 127.0.0.1" in problem for problem in problems)


def test_models_that_are_loaded_first_stand_in_the_catalogue(each_overlay: Overlay, tmp_path: Any) -> None:
    toml = each_overlay.find("ConfigMap", "models-catalogue")
    worker = next(pod for pod in each_overlay.pods() if pod.name == "worker")
    assert toml is not None
    (tmp_path / "models.toml").write_text(toml.data["data"]["models.toml"], encoding="utf-8")

    catalogue = Catalogue.load(tmp_path)
    settings: Any = settings_of(each_overlay, worker.containers[0])

    assert settings.preload
    assert {catalogue.get(name).kind for name in settings.preload} == {"chat"}
    assert all(entry.sha256 for entry in catalogue.all())
    assert all(entry.file.startswith("files/") for entry in catalogue.all())
