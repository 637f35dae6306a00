"""Brings a catalogue's files into the models volume with Drover's command line: `python pull_models.py MODELS SOURCES`.

MODELS is models.toml, SOURCES sources.toml, DROVER_MODELS_DIR the volume. May be run again at any time.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

DROVER = [sys.executable, "-m", "cli.main", "models"]


def held() -> dict[str, dict[str, Any]]:
    """What the volume has, by name: entries as `drover models list --json` writes them."""
    listed = subprocess.run([*DROVER, "list", "--json"], check=True, stdout=subprocess.PIPE)
    return {entry["name"]: entry for entry in json.loads(listed.stdout) if entry["size_bytes"] is not None}


def command(name: str, model: dict[str, Any], source: dict[str, str]) -> list[str]:
    """What fetches one model. Raises KeyError if its source says neither `pull` nor `copy`."""
    verb = ["pull", source["pull"]] if "pull" in source else ["add", source["copy"]]
    options = {"name": name, "kind": model["kind"], "base": model.get("base"), "revision": source.get("revision")}
    return [*DROVER, *verb, *(word for key, value in options.items() if value for word in (f"--{key}", value))]


def problem(name: str, model: dict[str, Any], entry: dict[str, Any] | None) -> str:
    """What is wrong with the file that the volume has for this model; '' if nothing is."""
    if entry is None:
        return f"{name}: the volume does not have it."
    adapter = entry.get("adapter") or {}
    file, sha256 = adapter.get("file", entry["file"]), adapter.get("sha256", entry["sha256"])
    if file != Path(model["file"]).name:
        return f'{name}: its file on the volume is {file}: write file = "files/{file}" into models.toml.'
    if "sha256" not in model:
        return f'{name}: write sha256 = "{sha256}" into models.toml, then the file is checked.'
    if sha256 != model["sha256"]:
        return f"{name}: models.toml has another sha256 than the file, {sha256}: give a changed file another name."
    return ""


def main() -> None:
    """Fetch what is missing, compare everything, exit with 1 and a sentence for each model that is not as it should."""
    models, sources = (tomllib.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:])
    models = models["models"]
    if homeless := sorted(models.keys() - sources.keys()):
        sys.exit(f"sources.toml does not say where {', '.join(homeless)} comes from.")
    known = held()
    missing = sorted(
        models.keys() - known.keys(), key=lambda name: "base" in models[name]
    )  # adapters after their bases
    for name in missing:
        subprocess.run(command(name, models[name], sources[name]), check=False)
    if missing:
        known = held()
    if problems := [found for name, model in models.items() if (found := problem(name, model, known.get(name)))]:
        sys.exit("\n".join(problems))
    sys.stdout.write(f"the volume has {', '.join(sorted(models))}, digests compared\n")


if __name__ == "__main__":
    main()
