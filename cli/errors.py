"""What the person at the terminal gave and cannot be used."""


class InputError(Exception):
    """A file or a pipe; the message says which, and what to do."""
