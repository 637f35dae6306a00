"""What a request may ask for by this server's settings, and what its fields may ask for together."""

from dataclasses import dataclass

from gateway.bodies.chat import ChatCompletionBody
from shared.errors import BadRequestError


@dataclass(frozen=True, slots=True)
class HouseRules:
    """`max_choices` bounds `n`."""

    max_choices: int
    allows_grammar: bool

    def check(self, body: ChatCompletionBody) -> None:
        """Raises BadRequestError that names the field."""
        choices = body.n or 1
        if choices > self.max_choices:
            raise BadRequestError(f"This server gives at most {self.max_choices} choices per request.", param="n")
        if choices > 1 and body.session_id is not None:
            raise BadRequestError("A session has one reply a turn: leave n out, or session_id.", param="n")
        if body.grammar is not None and not self.allows_grammar:
            raise BadRequestError(
                "GBNF grammars are off on this server; use response_format, or have its operator set "
                "GATEWAY_ALLOW_GRAMMAR=true.",
                param="grammar",
            )
        if body.grammar is not None and body.constrained_by_format is not None:
            raise BadRequestError("An answer follows a grammar or a response_format, not both.", param="grammar")
        if body.min_tokens and body.token_limit is not None and body.min_tokens > body.token_limit:
            raise BadRequestError("min_tokens is more than max_tokens allows.", param="min_tokens")
