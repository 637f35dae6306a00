"""Compose's one-shot `welcome`: says where the stack is, and the line of curl that talks to it."""

import os
import sys

PUBLIC = "development-only"

BODY = '{"model":"drover-tiny","stream":true,"messages":[{"role":"user","content":"What is the capital of France?"}]}'


def lines(address: str, port: str, key: str) -> list[str]:
    """What a person wants to know; the key only if it is public anyway, because logs are kept."""
    host = "127.0.0.1" if address in ("0.0.0.0", "[::]", "::") else address
    url = f"http://{host}:{port}"
    shown = key if PUBLIC in key else "$DROVER_API_KEY"
    known = f"{key}  (public: for this machine only)" if PUBLIC in key else "DROVER_API_KEY of .env"
    return [
        "Drover is up.",
        f"  url  {url}",
        f"  key  {known}",
        f'  curl -N {url}/v1/chat/completions -H "Authorization: Bearer {shown}" -H "Content-Type: application/json" '
        f"-d '{BODY}'",
    ]


if __name__ == "__main__":
    said = lines(os.environ["DROVER_BIND"], os.environ["DROVER_PORT"], os.environ["DROVER_API_KEY"])
    sys.stdout.write("\n".join(said) + "\n")
