"""One question to a server over its unix socket, without the weight of a client library.

It serves the moments before anybody needs redis-py: is the server up, have the workers signed on?
"""

import io
import socket
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_SECONDS = 2.0
"""A server on the same machine that is up answers within milliseconds (guess)."""


def ask(path: Path, *words: str, password: str | None = None) -> str:
    """The reply as text, its first line only; "" for a nil reply and when nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(str(path))
            with connection.makefile("rwb") as stream:
                if password is not None:
                    _exchange(stream, ("AUTH", password))
                return _exchange(stream, words)
    except OSError:
        return ""


def _exchange(stream: io.BufferedRWPair, words: Sequence[str]) -> str:
    parts = [word.encode() for word in words]
    stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
    stream.flush()
    line = stream.readline()
    if line.startswith(b"$"):
        line = b"" if line == b"$-1\r\n" else stream.readline()
    return line.decode(errors="replace").rstrip("\r\n")
