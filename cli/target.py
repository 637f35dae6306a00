"""Which server the commands talk to: as options or the environment say, else the stack of the state directory."""

import re
from dataclasses import dataclass
from pathlib import Path

from cli.settings import CliSettings
from cli.stack.description import StackDescription
from cli.stack.errors import NoServerError, StackError
from cli.stack.state_dir import StateDir


@dataclass(frozen=True)
class Target:
    """The models are '' when only the server knows its models."""

    urls: list[str]
    api_key: str
    model: str = ""
    embedding_model: str = ""


def find_target(settings: CliSettings, state_dir: Path, url: str | None, api_key: str | None) -> Target:
    """`url` may be several with commas between them. Raises NoServerError when nothing says where the server is."""
    urls = addresses(url or settings.url)
    api_key = api_key or settings.api_key.get_secret_value()
    stack = StackDescription.read(StateDir(state_dir).stack_file)
    if urls and not (stack and urls[0] in stack.gateways):
        if not api_key:
            raise StackError(f"An API key for {urls[0]} is missing: give it with --api-key or DROVER_API_KEY.")
        return Target(urls, api_key)
    if stack is None:
        raise NoServerError(f"No stack is up in {state_dir}: start one with `drover up`, or give --url and --api-key.")
    urls += [other for other in stack.gateways if other not in urls]
    return Target(urls, api_key or stack.api_key, stack.model, stack.embedding_model)


def addresses(words: str) -> list[str]:
    """The URLs in a text; `host:port` alone is http, and OpenAI's clients have taught people to write /v1 behind it."""
    found = [word.rstrip("/").removesuffix("/v1") for word in re.split(r"[,\s]+", words) if word]
    return [word if "://" in word else f"http://{word}" for word in found]
