"""Renders an overlay with kubectl, as `kubectl apply -k` would."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import yaml

from k8s.check.manifest import Manifest, Overlay

ROOT = Path(__file__).resolve().parents[1]
OVERLAYS = ("local", "staging", "production")
"""Those that the tests look at."""
TIMEOUT_S = 60


class RenderingError(Exception):
    """An overlay cannot be rendered; the message says why and what to do."""


def all_overlays() -> list[str]:
    """Ours, and whatever others have been put beside them."""
    found = {folder.name for folder in (ROOT / "overlays").iterdir() if folder.is_dir()}
    return [*OVERLAYS, *sorted(found - set(OVERLAYS))]


def has_renderer() -> bool:
    return any(map(shutil.which, ("kubectl", "kustomize")))


@cache
def overlay(name: str) -> Overlay:
    """The overlay of that name, rendered once. Raises RenderingError."""
    folder = ROOT / "overlays" / name
    expected = folder / "expected-secrets.yaml"
    secrets = yaml.safe_load(expected.read_text(encoding="utf-8")) if expected.exists() else {}
    return Overlay(name, render(folder), secrets)


def render(folder: Path) -> list[Manifest]:
    """What the folder's kustomization renders to. Raises RenderingError."""
    done = subprocess.run([*_command(), str(folder)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise RenderingError(f"{folder} does not render: {done.stderr.strip()}")
    if done.stderr.strip():  # kustomize warns of fields that will not be read in its next version
        raise RenderingError(f"{folder} renders with a warning: {done.stderr.strip()}")
    return [Manifest(data) for data in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if data]


def _command() -> list[str]:
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    if kustomize := shutil.which("kustomize"):
        return [kustomize, "build"]
    raise RenderingError(
        "kubectl is missing: kubernetes.io/docs/tasks/tools tells how to install it (1.27 or newer); the program "
        "kustomize, version 5 or newer, will do as well."
    )
