"""A relay in front of a server that counts the bytes of whoever goes through it, in both directions."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

PIECE = 1 << 16


class Relay:
    """Listens on this machine at `url`.  `sent` and `received` are as its clients see them."""

    def __init__(self, server: str) -> None:
        self._server = urlsplit(server)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.sent = self.received = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._sockets: list[socket.socket] = []
        self._threads[0].start()

    def close(self) -> None:
        """End all connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            server = self._connected()
            self._sockets += [client, server]
            for name, source, target in (("sent", client, server), ("received", server, client)):
                thread = threading.Thread(target=self._pass_on, args=(name, source, target), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _connected(self) -> socket.socket:
        if self._server.scheme == "unix":
            found = socket.socket(socket.AF_UNIX)
            found.connect(self._server.path)
            return found
        return socket.create_connection((self._server.hostname or "127.0.0.1", self._server.port or 6379))

    def _pass_on(self, name: str, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                setattr(self, name, getattr(self, name) + len(piece))
                target.sendall(piece)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def relayed(server: str) -> Iterator[Relay]:
    """A relay that ends with the block."""
    relay = Relay(server)
    try:
        yield relay
    finally:
        relay.close()
