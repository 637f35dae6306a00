"""Compares manifests with the API's schemas, strictly: an unknown field is an error."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from k8s.check.manifest import Manifest, Overlay

VERSIONS = ("1.30.0", "1.37.0")
"""The oldest Kubernetes that the manifests are for (the preStop sleep), and the newest with schemas."""

CUSTOM = Path(__file__).parent / "schemas"
"""Schemas of custom resources: <group>-<version>-<kind>.json, written from their public API."""


def check_schemas(overlay: Overlay) -> list[str]:
    """Every manifest against the schema of its kind, in the oldest and the newest version."""
    return [problem for manifest in overlay.manifests for problem in problems_of(manifest)]


def problems_of(manifest: Manifest) -> list[str]:
    """What the schemas refuse of one manifest; a kind without a schema is refused as well."""
    found: list[str] = []
    for validator in _validators(manifest):
        for error in validator.iter_errors(manifest.data):
            place = ".".join(map(str, error.absolute_path))
            found.append(f"{manifest.title}: {place}: {error.message}")
    return list(dict.fromkeys(found))


def _validators(manifest: Manifest) -> list[Draft202012Validator]:
    group, _, version = manifest.data["apiVersion"].rpartition("/")
    kind = manifest.kind.lower()
    own = CUSTOM / f"{group}-{version}-{kind}.json"
    if own.exists():
        return [_custom(own)]
    short = f"{group.partition('.')[0]}-{version}" if group else version
    return [_builtin(kind, short, kubernetes) for kubernetes in VERSIONS]


@cache
def _custom(path: Path) -> Draft202012Validator:
    return Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


@cache
def _builtin(kind: str, api_version: str, kubernetes: str) -> Draft202012Validator:
    """Raises FileNotFoundError for a kind that neither Kubernetes nor `schemas/` knows."""
    schema = schema_contents(f"{_folder(kubernetes)}/{kind}-{api_version}.json", kubernetes)
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(kubernetes))


@cache
def _definitions(kubernetes: str) -> Registry[Any]:
    """The schemas that all kinds share: read once, they are megabytes."""
    contents = schema_contents(f"{_folder(kubernetes)}/_definitions.json", kubernetes)
    registry: Registry[Any] = Registry()
    return Resource.from_contents(contents) @ registry


def _folder(kubernetes: str) -> str:
    return f"kubernetes-json-schema/v{kubernetes}-local-strict"
