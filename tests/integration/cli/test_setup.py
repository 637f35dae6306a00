"""`make setup` on a machine that lacks something."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = str(Path(sys.executable).resolve())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What set-up needs of a fresh clone, in a folder with a space in its name."""
    folder = tmp_path / "a clone"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup.py", folder / "scripts")
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(ROOT / name, folder)
    return folder


def set_up(checkout: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("CC", "CXX")}
    return subprocess.run(
        [PYTHON, str(checkout / "scripts" / "setup.py")],
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
    )


def test_everything_that_is_missing_is_named_with_its_package_before_anything_is_made(checkout: Path) -> None:
    done = set_up(checkout, path="/nonexistent")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "A C compiler is missing: apt-get install build-essential",
        "A C++ compiler is missing: apt-get install build-essential",
        "cmake is missing: apt-get install cmake",
    ]
    assert not (checkout / ".venv").exists()


def test_only_what_is_missing_is_named(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cc", "c++"):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)

    done = set_up(checkout, path=str(tools))

    assert done.stderr.splitlines() == ["cmake is missing: apt-get install cmake"]


def test_make_names_a_missing_python(checkout: Path) -> None:
    done = subprocess.run(
        ["make", "setup", "PYTHON=no-such-python"], cwd=checkout, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "no-such-python is missing: apt-get install python3" in done.stdout


def test_make_alone_lists_the_targets(checkout: Path) -> None:
    listed = subprocess.check_output(["make", "--no-print-directory"], cwd=checkout, text=True)

    assert "make demo " in listed
    assert "make test " in listed
