"""Puts the demo models into a models folder that lacks them: `python fill_models.py [FROM] [TO]`.

What is there stays as it is, models.toml above all: `drover models pull` writes into it.
"""

import shutil
import sys
from pathlib import Path


def fill(source: Path, target: Path) -> list[str]:
    """The names of the files that were copied, models.toml last: whoever sees it finds its files."""
    missing = [file for file in source.iterdir() if not (target / file.name).exists()]
    for file in sorted(missing, key=lambda file: file.suffix == ".toml"):
        draft = target / f"{file.name}.part"
        shutil.copyfile(file, draft)
        draft.rename(target / file.name)
    return sorted(file.name for file in missing)


def main() -> None:
    """Copy, and say what."""
    folders = [*sys.argv[1:], "/usr/share/drover/models", "/models"] if len(sys.argv) == 1 else sys.argv[1:]
    source, target = map(Path, folders)
    copied = fill(source, target)
    sys.stdout.write(f"{target} has its models{': new are ' + ', '.join(copied) if copied else ''}\n")


if __name__ == "__main__":
    main()
