"""A way to a server that can be frozen, as when the server hangs, or cut, as when it is dead."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Valve:
    """Listens on a port of its own and passes everything on, both ways."""

    def __init__(self, host: str, port: int):
        self._target = (host, port)
        self._is_flowing = threading.Event()
        self._is_flowing.set()
        self._is_cut = False
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections stay, new ones are taken, and nothing is answered; at the end all that was held back goes on."""
        self._is_flowing.clear()
        yield
        self._is_flowing.set()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Every connection ends at once, also new ones."""
        self._is_cut = True
        self._end_all()
        yield
        self._is_cut = False

    def close(self) -> None:
        self._listener.close()
        self._is_flowing.set()
        self._end_all()

    def _end_all(self) -> None:
        while self._sockets:
            with suppress(OSError):
                self._sockets.pop().shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with source, sink, suppress(OSError):
            while data := source.recv(65536):
                self._is_flowing.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
