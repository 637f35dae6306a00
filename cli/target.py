"""Which server the commands talk to: as options or the environment say, else the stack of the state directory."""

from dataclasses import dataclass
from pathlib import Path

from cli.settings import CliSettings
from cli.stack.description import StackDescription
from cli.stack.errors import StackError
from cli.stack.state_dir import StateDir


@dataclass(frozen=True)
class Target:
    """`model` is '' when only the server knows its models."""

    urls: list[str]
    api_key: str
    model: str = ""


def find_target(settings: CliSettings, state_dir: Path, url: str | None, api_key: str | None) -> Target:
    """Raises StackError when nothing says where the server is."""
    url = url or settings.url
    api_key = api_key or settings.api_key.get_secret_value()
    stack = StackDescription.read(StateDir(state_dir).stack_file)
    if url and not (stack and url.rstrip("/") in stack.gateways):
        if not api_key:
            raise StackError(f"An API key for {url} is missing: give it with --api-key or DROVER_API_KEY.")
        return Target([url], api_key)
    if stack is None:
        raise StackError(f"No stack is up in {state_dir}: start one with `drover up`, or give --url and --api-key.")
    urls = [url, *(other for other in stack.gateways if other != url)] if url else stack.gateways
    return Target(urls, api_key or stack.api_key, stack.model)
