"""TCP ports on the loopback interface: which are free."""

import random
import socket

from cli.stack.errors import StackError

LOOPBACK = "127.0.0.1"
DEFAULT_GATEWAY_PORT = 8080

# Below Linux' ephemeral range (32768 and up): while a server restarts, a client that keeps dialling its port could
# otherwise be given that very port as its own source port and so hold it.
_FIRST_PORT, _LAST_PORT = 20000, 32000


def is_free(port: int) -> bool:
    """Whether a server could listen on that loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT does not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


class Ports:
    """Hands out free ports, none of them twice."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def any(self) -> int:
        """A free port, chosen at random. Raises StackError when none is found."""
        for _ in range(200):
            port = random.randint(_FIRST_PORT, _LAST_PORT)
            if self._take(port):
                return port
        raise StackError(f"No free port was found between {_FIRST_PORT} and {_LAST_PORT}: end what holds them.")

    def exactly(self, port: int) -> int:
        """That port. Raises StackError when it is taken."""
        if not self._take(port):
            raise StackError(f"Port {port} is taken: end what listens there, or choose another with --port.")
        return port

    def at_or_after(self, port: int) -> int:
        """The first free port from `port` on. Raises StackError when the next hundred are taken."""
        for candidate in range(port, min(port + 100, 65536)):
            if self._take(candidate):
                return candidate
        raise StackError(f"The ports from {port} to {port + 99} are all taken: choose another with --port.")

    def _take(self, port: int) -> bool:
        if port in self._given or not is_free(port):
            return False
        self._given.add(port)
        return True
