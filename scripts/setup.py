"""Makes .venv with everything in the lock: `make setup`. Runs on the machine's own Python, without any library."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "drover-setup.stamp"
LOG = VENV / "drover-setup.log"
LOCK = ROOT / "requirements-dev.lock"
HEARTBEAT_S = 20
PROGRAMS = {"rabbitmq-server": "rabbitmq-server", "faketime": "faketime"}
"""Programs that some tests start, with the Debian packages that bring them."""


def main():
    """Do nothing where the lock is installed already; exit status 1 with a sentence when something is missing."""
    provide_programs()
    if STAMP.exists() and PYTHON.exists() and STAMP.read_text() == wanted_stamp():
        return
    begun = time.monotonic()
    problems = missing()
    if problems:
        sys.exit("\n".join(problems))
    say("setting up .venv: about 2 minutes, and 3-6 more the first time, while llama-cpp-python compiles")
    make_venv()
    pip("installing the lock, every file checked by its hash", "--require-hashes", "--requirement", str(LOCK))
    pip("installing Drover itself", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    STAMP.write_text(wanted_stamp())
    say(f"set-up is done ({time.monotonic() - begun:.0f} s)")


def wanted_stamp():
    """What .venv must have been made from: this Python, the lock and the project's own entry points."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (LOCK, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def missing():
    """One sentence for each thing that the machine lacks."""
    sentences = []
    if sys.version_info < (3, 11):  # noqa: UP036  this file must say so on an old Python
        version = "{}.{}".format(*sys.version_info)
        sentences.append(f"Python {version} is too old: install Python 3.11 or newer, or run make PYTHON=/path/to/one.")
    try:
        import ensurepip  # noqa: F401  Debian takes it out of its Python
    except ImportError:
        sentences.append("Python's venv module is missing: apt-get install python3-venv")
    if not any(map(shutil.which, [os.environ.get("CC", "cc"), "gcc", "clang"])):
        sentences.append("A C compiler is missing: apt-get install build-essential")
    if not any(map(shutil.which, [os.environ.get("CXX", "c++"), "g++", "clang++"])):
        sentences.append("A C++ compiler is missing: apt-get install build-essential")
    if not shutil.which("cmake"):
        sentences.append("cmake is missing: apt-get install cmake")
    return sentences


def provide_programs():
    """Install what tests need on a CI machine that is ours to change; elsewhere those tests are skipped."""
    packages = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    is_ours = os.environ.get("CI") == "true" and shutil.which("apt-get") and os.geteuid() == 0
    if not packages or not is_ours:
        return
    say(f"installing {' and '.join(packages)} for the tests")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    for command in (install, ["apt-get", "update", "--quiet"], install):  # a fresh image has no package lists
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0 and command is install:
            return
    say(f"{' and '.join(packages)} cannot be installed, their tests will fail: {done.stdout[-300:]}")


def make_venv():
    """A new environment, unless there is a working one of this Python's version."""
    ask = f"import sys; sys.exit(sys.version != {sys.version!r})"
    if PYTHON.exists() and subprocess.run([str(PYTHON), "-c", ask], stderr=subprocess.DEVNULL).returncode == 0:
        run_quietly([sys.executable, "-m", "venv", str(VENV)])  # keeps what is installed, adds pip if it lacks
    else:
        say("making " + str(VENV))
        run_quietly([sys.executable, "-m", "venv", "--clear", str(VENV)])


def pip(doing, *arguments):
    """`pip install`, its words into the log, a line here now and then."""
    say(doing)
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--progress-bar=off", "--disable-pip-version-check"]
    with LOG.open("w") as log:
        process = subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)
        begun = time.monotonic()
        while True:
            try:
                status = process.wait(HEARTBEAT_S)
                break
            except subprocess.TimeoutExpired:
                say(f"... {time.monotonic() - begun:.0f} s: {last_words(1).removesuffix(': still running...')}")
    if status != 0:
        sys.exit(f"{last_words(25)}\npip failed; all it said is in {LOG}.")


def run_quietly(command):
    """Run it; show its words only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\n{' '.join(command)} failed.")


def last_words(lines):
    """The end of pip's log."""
    words = [line.strip()[:100] for line in LOG.read_text(errors="replace").splitlines()]
    return "\n".join([line for line in words if line and not line.startswith("WARNING")][-lines:])


def say(line):
    sys.stdout.write(f"setup: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
