"""Makes .build/clients with the clients that the conformance tests run: `make clients`.

They have an environment of their own: between them they hold half of PyPI back, and Drover shall not.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED = ROOT / "tests" / "e2e" / "clients"
LOCK = WANTED / "requirements.lock"
NODE = WANTED / "node"
MADE = ROOT / ".build" / "clients"
STAMP = MADE / "stamp"


def main() -> None:
    """Do nothing where the locks are installed already."""
    if STAMP.exists() and STAMP.read_text() == wanted_stamp():
        return
    say("installing the clients of the conformance tests: about a minute")
    run(sys.executable, "-m", "venv", "--clear", str(MADE))
    pip = (str(MADE / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "--requirement", str(LOCK))
    if shutil.which("npm"):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE / name, MADE)
        run("npm", "ci", "--prefix", str(MADE), "--no-audit", "--no-fund", "--silent")
    else:
        say("npm is missing: the tests with OpenAI's client for Node are skipped (apt-get install nodejs npm)")
    STAMP.write_text(wanted_stamp())


def wanted_stamp() -> str:
    digest = hashlib.sha256(f"{sys.version}{shutil.which('npm')}".encode())
    for path in (LOCK, NODE / "package-lock.json"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run(*command: str) -> None:
    """Run it; show its words only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\n{' '.join(command)} failed.")


def say(line: str) -> None:
    sys.stdout.write(f"clients: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
