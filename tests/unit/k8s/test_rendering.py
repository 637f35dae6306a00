from pathlib import Path

import pytest
import yaml

from k8s.check.manifest import Overlay
from k8s.check.rendering import OVERLAYS, ROOT, RenderingError, all_overlays, render


def test_every_overlay_is_looked_at() -> None:
    assert set(all_overlays()) == {folder.name for folder in (ROOT / "overlays").iterdir()}
    assert set(OVERLAYS) <= set(all_overlays())


def test_every_component_is_chosen_by_an_overlay() -> None:
    chosen: set[str] = set()
    for name in OVERLAYS:
        kustomization = yaml.safe_load((ROOT / "overlays" / name / "kustomization.yaml").read_text(encoding="utf-8"))
        chosen |= {Path(path).name for path in kustomization["components"]}

    assert chosen == {folder.name for folder in (ROOT / "components").iterdir()}


def test_a_folder_that_does_not_render_is_told_with_kustomizes_own_words(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [missing.yaml]\n", encoding="utf-8")

    with pytest.raises(RenderingError, match=r"missing\.yaml"):
        render(tmp_path)


def test_without_kubectl_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RenderingError, match="tells how to install it"):
        render(ROOT / "base")


def test_nothing_but_the_local_overlay_holds_secret_values(each_overlay: Overlay) -> None:
    secrets = [manifest.name for manifest in [*each_overlay.of_kind("Secret"), *_base_secrets()]]

    assert bool(secrets) == (each_overlay.name == "local")


def test_everything_lies_in_the_overlays_namespace(each_overlay: Overlay) -> None:
    spaces = {manifest.namespace for manifest in each_overlay.manifests if manifest.kind != "Namespace"}

    assert spaces == {each_overlay.of_kind("Namespace")[0].name}


def test_a_change_of_the_catalogue_restarts_nothing(each_overlay: Overlay) -> None:
    """The services read models.toml anew; a hash in its name would restart every worker."""
    assert each_overlay.find("ConfigMap", "models-catalogue")


def test_a_change_of_a_setting_restarts_its_pods(each_overlay: Overlay) -> None:
    names = [manifest.name for manifest in each_overlay.of_kind("ConfigMap") if "-settings" in manifest.name]

    assert len(names) == 5
    assert not any(name.endswith("-settings") for name in names)


def test_a_job_carries_its_version_and_refers_to_nothing_whose_name_changes(each_overlay: Overlay) -> None:
    for job in each_overlay.of_kind("Job"):
        image = job.spec["template"]["spec"]["containers"][0]["image"]

        assert job.name.endswith(f"-{image.rpartition(':')[2]}")
        assert "-settings" not in str(job.data)


def _base_secrets() -> list[str]:
    return [path.name for path in (ROOT / "base").rglob("*.yaml") if "kind: Secret\n" in path.read_text("utf-8")]
