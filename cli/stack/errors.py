"""What can go wrong with a stack; every message is one sentence that says what to do."""


class StackError(Exception):
    """The stack cannot do what was asked; the message is for the person at the terminal."""


class StackRunsError(StackError):
    """A stack already runs in this state directory."""


class NoServerError(StackError):
    """Nothing says where a server is."""


class StopRequestedError(Exception):
    """Ctrl-C, SIGTERM or `drover down` while the stack was still starting."""
