from pathlib import Path

import pytest

from k8s.check.manifest import Overlay
from k8s.check.rendering import OVERLAYS, ROOT, overlay

PAGE = Path(ROOT.parent / "docs" / "kubernetes.md").read_text(encoding="utf-8")


def counts_table() -> str:
    """How many objects of which kind each overlay renders to."""
    counts = [overlay(name).counts() for name in OVERLAYS]
    kinds = sorted({kind for found in counts for kind in found})
    rows = [["objects", *OVERLAYS], ["---"] * (len(OVERLAYS) + 1)]
    rows += [[kind, *(str(found.get(kind, "–")) for found in counts)] for kind in kinds]
    rows += [["all", *(str(sum(found.values())) for found in counts)]]
    lines = ["|".join(["", *(f" {cell} " for cell in row), ""]) for row in rows]
    return "\n".join(lines).replace(" --- ", "---")


def test_the_page_counts_what_is_rendered() -> None:
    assert counts_table() in PAGE, f"write into docs/kubernetes.md:\n{counts_table()}"


@pytest.mark.parametrize("folder", ["base", "components", "overlays"])
def test_the_page_tells_of_every_folder(folder: str) -> None:
    names = [path.name for path in (ROOT / folder).iterdir() if path.is_dir()]

    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_the_page_says_how_to_make_every_secret(production: Overlay) -> None:
    made = [line for line in PAGE.splitlines() if "create secret" in line]

    for name, keys in production.expected_secrets.items():
        line = next(line for line in made if f" {name} " in line)
        assert all(f"--from-literal={key}=" in line or " tls " in line for key in keys)


def test_the_page_names_every_metric_that_pods_are_scaled_on(production: Overlay, staging: Overlay) -> None:
    queries = [
        trigger["metadata"]["query"] for found in staging.of_kind("ScaledObject") for trigger in found.spec["triggers"]
    ]
    series = {word for query in queries for word in query.replace("{", "(").split("(") if word.startswith("drover_")}

    assert {name for name in series if name not in PAGE} == set()
