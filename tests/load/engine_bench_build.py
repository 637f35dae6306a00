"""llama.cpp's own programs for the engine benchmark: those that the environment names, else built once from source.

llama-cpp-python's source distribution carries llama.cpp whole, at the commit that our engine runs.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".build" / "llama"
PROGRAMS = {"llama-server": "LLAMA_SERVER", "llama-batched-bench": "LLAMA_BATCHED_BENCH"}
_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_UI=OFF",
)


def program(name: str) -> Path:
    """One of PROGRAMS. Raises subprocess.CalledProcessError when it cannot be built."""
    if given := os.environ.get(PROGRAMS[name]):
        return Path(given)
    built = FOLDER / "build" / "bin" / name
    if not built.exists():
        print(f"building {name}: some 10 minutes, this once ({FOLDER})", file=sys.stderr)
        _build(name)
    return built


def _build(name: str) -> None:
    source = _source()
    build = FOLDER / "build"
    subprocess.run(["cmake", "-S", source, "-B", build, *_OPTIONS], check=True, stdout=sys.stderr)
    jobs = str(os.cpu_count() or 1)
    subprocess.run(["cmake", "--build", build, "--target", name, "-j", jobs], check=True, stdout=sys.stderr)


def _source() -> Path:
    """llama.cpp's source as it was in the llama-cpp-python that is installed."""
    wanted = version("llama-cpp-python")
    found = FOLDER / f"llama_cpp_python-{wanted}" / "vendor" / "llama.cpp"
    if not found.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(FOLDER)]
        package = ["--no-binary", "llama-cpp-python", f"llama-cpp-python=={wanted}"]
        subprocess.run([*command, *package], check=True, stdout=sys.stderr)
        [archive] = FOLDER.glob("llama_cpp_python-*.tar.gz")
        shutil.rmtree(found.parents[1], ignore_errors=True)
        with tarfile.open(archive) as packed:
            packed.extractall(FOLDER, filter="data")
    return found
