"""API keys for a fault test: of other tenants, with limits of their own."""

import json
import os
import subprocess
import sys

from tests.stack import ROOT, Stack


def make_key(stack: Stack, tenant: str, **limits: int) -> tuple[str, str]:
    """A new user's key of that tenant and its key id. `limits`: requests_per_minute, tokens_per_minute, …; 0: none."""
    secrets = json.loads((stack.state_dir / "secrets.json").read_text())
    environment = {
        **os.environ,
        "DATABASE_URL": stack.database_url,
        "REDIS_URL": stack.redis_url,
        "SESSION_KEY_PEPPER": secrets["key_pepper"],
        "DROVER_INTERNAL_TOKEN": secrets["internal_token"],
    }
    command = [sys.executable, "-m", "session_service.admin", "create-key", "--tenant", tenant]
    for name, value in limits.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    return made["api_key"], made["key_id"]
