"""What became of one request: its times, its tokens, or the class of its error."""

from dataclasses import dataclass, field

BROKEN_STREAM = "broken stream"
"""The connection ended, or said something unreadable, before the stream's last word."""
DOUBLED_IDS = "doubled ids"
"""An SSE id came twice, or a smaller one after a greater one: text was sent again."""
MISSING_IDS = "missing ids"
"""The ids end before the token count that the server itself tells: text was lost."""
NO_CONNECTION = "no connection"
TIMED_OUT = "timed out"


@dataclass(slots=True)
class Outcome:
    """One request. `begun_s` and `ended_s` are moments of time.monotonic(), everything else in seconds lasts.

    `gaps_s` are the pauses between pieces of text; `is_counted` says that the server told how many tokens there were,
    else pieces of text are taken for tokens.
    """

    begun_s: float
    ended_s: float = 0.0
    first_text_s: float | None = None
    last_text_s: float | None = None
    gaps_s: list[float] = field(default_factory=list)
    tokens: int = 0
    prompt_tokens: int = 0
    is_counted: bool = False
    error: str = ""
    """The error's class, '' for none: HTTP status and code, or one of the names above."""
    words: str = ""
    """What the server said about the error."""

    @property
    def total_s(self) -> float:
        return self.ended_s - self.begun_s

    @property
    def per_token_s(self) -> float | None:
        """Time per token after the first; None where there is but one, or none."""
        if self.first_text_s is None or self.last_text_s is None or self.tokens < 2:
            return None
        return (self.last_text_s - self.first_text_s) / (self.tokens - 1)
