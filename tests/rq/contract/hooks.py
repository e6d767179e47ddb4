"""A server that webhooks call: it notes what it is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Hooks:
    """Listens on a port of its own."""

    url = ""  # of the one that runs

    def __init__(self) -> None:
        self._told: list[Any] = []
        told = self._told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.append({name: value for name, value in body.items() if not name.endswith("_at")})
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        Hooks.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._told)

    def take(self) -> list[Any]:
        """What was told since the last time."""
        found = list(self._told)
        del self._told[: len(found)]
        return [{name: _last_line(value) for name, value in body.items()} for body in found]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _last_line(value: Any) -> Any:
    """Of a traceback the last line: the frames differ."""
    return value.rstrip().rpartition("\n")[2] if isinstance(value, str) else value
