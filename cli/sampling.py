"""How the next tokens are drawn: the options of every command that generates, and their fields in a request."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

MaxTokensOption = Annotated[
    int | None, typer.Option("--max-tokens", help="The longest answer.  [default: until the context is full]")
]
TemperatureOption = Annotated[float | None, typer.Option(help="0 always takes the likeliest token.")]
TopPOption = Annotated[float | None, typer.Option("--top-p", help="Draw from the likeliest tokens of so much in all.")]
SeedOption = Annotated[int | None, typer.Option(help="The same seed draws the same answer.")]
StopOption = Annotated[list[str] | None, typer.Option(help="End before this text; up to four times.")]


@dataclass(frozen=True)
class Sampling:
    """None means what the server thinks best."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: list[str] | None = field(default=None)

    def fields(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}
