"""The one-off commands of the session service that a stack needs: migrations and keys."""

import json
import subprocess
import sys
from collections.abc import Mapping

import httpx

from cli.settings import PROJECT_DIR
from cli.stack.errors import StackError

DEFAULT_TENANT = "default"


def migrate(environment: Mapping[str, str]) -> None:
    """Bring the database to the present schema. Raises StackError."""
    _run(environment, "migrate")


def create_key(environment: Mapping[str, str], role: str) -> str:
    """A new key of the default tenant. Raises StackError."""
    output = _run(environment, "create-key", "--tenant", DEFAULT_TENANT, "--role", role)
    try:
        key: str = json.loads(output.strip().splitlines()[-1])["api_key"]
    except (ValueError, IndexError, KeyError) as error:
        raise StackError("The session service's admin command gave no key: look at its output.") from error
    return key


def is_valid_key(session_service_url: str, internal_token: str, api_key: str) -> bool:
    """Whether the session service knows that key (it does not when the database was replaced)."""
    answer = httpx.post(
        f"{session_service_url}/internal/keys/verify",
        json={"api_key": api_key},
        headers={"Authorization": f"Bearer {internal_token}"},
        timeout=10,
        trust_env=False,
    )
    return answer.status_code == 200


def _run(environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "session_service.admin", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=dict(environment),
        cwd=PROJECT_DIR,
        start_new_session=True,  # Ctrl-C must not leave it half done
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-15:]
        raise StackError(f"session_service.admin {arguments[0]} failed: " + "\n".join(said))
    return done.stdout
