"""Tells an image's Python where the code is, which Drover it is part of: `python register.py PYPROJECT FOLDER…`."""

import sys
import sysconfig
import tomllib
from pathlib import Path


def main() -> None:
    """Write a path file for the folders, and the metadata from which the services read their version."""
    pyproject, *folders = sys.argv[1:]
    project = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))["project"]
    packages = Path(sysconfig.get_path("purelib"))
    (packages / "drover.pth").write_text("".join(f"{folder}\n" for folder in folders), encoding="utf-8")
    metadata = packages / f"{project['name']}-{project['version']}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")


if __name__ == "__main__":
    main()
