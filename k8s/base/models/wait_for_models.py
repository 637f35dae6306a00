"""Waits until every file of the catalogue is on the models volume: `python wait_for_models.py MODELS_DIR`.

The job models-pull puts a file in its place when its digest has been compared, so a file that is there is whole.
"""

import sys
import time
import tomllib
from pathlib import Path

EVERY_S = 2
SAY_EVERY_S = 30


def missing(folder: Path) -> list[str]:
    """The files that models.toml names and the volume lacks."""
    models = tomllib.loads((folder / "models.toml").read_text(encoding="utf-8"))["models"]
    return sorted(model["file"] for model in models.values() if not (folder / model["file"]).is_file())


def main() -> None:
    """Say what is missing, now and then; return when nothing is."""
    folder = Path(sys.argv[1])
    said_at = float("-inf")
    while files := missing(folder):
        if time.monotonic() - said_at > SAY_EVERY_S:
            sys.stdout.write(f"waiting for {', '.join(files)}: look at the job models-pull\n")
            sys.stdout.flush()
            said_at = time.monotonic()
        time.sleep(EVERY_S)
    sys.stdout.write("all models are there\n")


if __name__ == "__main__":
    main()
