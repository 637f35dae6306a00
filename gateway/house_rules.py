"""What a request may ask for by this server's settings, and what its fields may ask for together."""

from dataclasses import dataclass

from gateway.ask import Ask
from shared.errors import BadRequestError


@dataclass(frozen=True, slots=True)
class HouseRules:
    """`max_choices` bounds `n`."""

    max_choices: int
    allows_grammar: bool

    def check(self, ask: Ask) -> None:
        """Raises BadRequestError that names the field."""
        if ask.choices > self.max_choices:
            raise BadRequestError(f"This server gives at most {self.max_choices} choices per request.", param="n")
        if ask.choices > 1 and ask.session_id is not None:
            raise BadRequestError("A session has one reply a turn: leave n out, or session_id.", param="n")
        if ask.constraint is not None and ask.constraint.kind == "gbnf" and not self.allows_grammar:
            raise BadRequestError(
                "GBNF grammars are off on this server; use response_format, or have its operator set "
                "GATEWAY_ALLOW_GRAMMAR=true.",
                param="grammar",
            )
        if ask.max_tokens is not None and ask.sampling.min_tokens > ask.max_tokens:
            raise BadRequestError("min_tokens is more than max_tokens allows.", param="min_tokens")
