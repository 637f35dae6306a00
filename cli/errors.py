"""What stands between a command and its files and pipes."""


class InputError(Exception):
    """A file or a pipe; the message says which, and what to do."""
