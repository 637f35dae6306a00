"""What a schema or a pattern cannot be turned into a grammar for."""


class GrammarError(Exception):
    """The message says what is not supported, in words for the caller who wrote it."""
