"""Long strings to and from the server, past redis-py's packer and parser.

The connection is redis-py's, so that TLS, sockets, passwords and sentinels are its business.  What is long
goes straight from the caller's memory into the socket, and from there into the caller's memory: redis-py's
parser takes ten times as long for 64 MB, most of it in copies and in memory that is fresh each time.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socket import socket
from typing import Any

import redis
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ResponseError

from farpool_common.errors import DecodeError, ResultExpiredError

IN_FLIGHT = 8
"""Strings on their way at once: enough to keep a distant link busy, and little for the server to hold."""

Item = tuple[str, memoryview]
"""A key, and the memory that holds its value or receives it."""

_OK, _NONE, _END = b"+OK\r\n", b"$-1\r\n", b"\r\n"
_LONGEST_ERROR = 4096


class Bulk:
    """Sets and gets strings of known sizes.  Thread-safe, as the client is.

    Raises what redis-py raises, and OSError.
    """

    def __init__(self, client: redis.Redis, timeout: float | None = None) -> None:
        """`timeout`: seconds without a byte after which the server counts as lost, if not those of the client."""
        self._client, self._timeout = client, timeout

    def set_all(self, items: Iterable[Item], seconds: int) -> None:
        """Set each of these keys for so many seconds; answers are read while later items are sent."""
        end = b"\r\n$2\r\nEX\r\n" + _bulk(str(seconds).encode())
        with self._socket() as wire:
            unanswered, before = 0, b""
            for key, value in items:
                head = b"*5\r\n$3\r\nSET\r\n%b$%d\r\n" % (_bulk(key.encode()), len(value))
                wire.sendall(before + head)
                wire.sendall(value)
                before, unanswered = end, unanswered + 1
                if unanswered > IN_FLIGHT:
                    _expect(wire, _OK)
                    unanswered -= 1
            wire.sendall(before)
            for _ in range(unanswered):
                _expect(wire, _OK)

    def get_all(self, items: Iterable[Item], arrived: Callable[[memoryview], object]) -> None:
        """Fill the memory of each item with the string of its key, and tell `arrived` of it, in order.

        Raises ResultExpiredError where there is no such key, and DecodeError where its string is longer or
        shorter than the memory.
        """
        asked: deque[Item] = deque()
        with self._socket() as wire:
            for item in items:
                wire.sendall(b"*2\r\n$3\r\nGET\r\n" + _bulk(item[0].encode()))
                asked.append(item)
                if len(asked) > IN_FLIGHT:
                    _receive(wire, *asked.popleft(), arrived)
            while asked:
                _receive(wire, *asked.popleft(), arrived)

    @contextmanager
    def _socket(self) -> Iterator[socket]:
        pool = self._client.connection_pool
        connection: Any = pool.get_connection()
        try:
            wire = connection._get_socket()  # redis-py has no public way to it
            usual = wire.gettimeout()
            wire.settimeout(usual if self._timeout is None else self._timeout)
            yield wire
            wire.settimeout(usual)
        except BaseException:
            connection.disconnect()  # answers may still be on their way
            raise
        finally:
            pool.release(connection)


def _receive(wire: socket, key: str, memory: memoryview, arrived: Callable[[memoryview], object]) -> None:
    head = b"$%d\r\n" % len(memory)
    if (found := _filled(wire, len(head))) != head:
        if found.startswith(_NONE[: len(found)]):
            raise ResultExpiredError(f"a stored buffer is gone ({key}): it was kept for its time to live")
        if found.startswith(b"$"):
            raise DecodeError(f"a stored buffer has not the {len(memory):,} bytes noted for it ({key})")
        raise _error(wire, found)
    _fill(wire, memory)
    arrived(memory)
    _expect(wire, _END)


def _expect(wire: socket, answer: bytes) -> None:
    if (found := _filled(wire, len(answer))) != answer:
        raise _error(wire, found)


def _error(wire: socket, found: bytes) -> Exception:
    """What an answer that we did not expect says, as redis-py's parser would."""
    while not found.endswith(_END) and len(found) < _LONGEST_ERROR:
        found += _filled(wire, 1)
    text = found.rstrip(_END).decode("utf-8", "replace")
    return ResponseError(text[1:]) if text.startswith("-") else Disconnected(f"an answer that is none: {text[:80]}")


def _filled(wire: socket, size: int) -> bytes:
    found = bytearray(size)
    _fill(wire, memoryview(found))
    return bytes(found)


def _fill(wire: socket, memory: memoryview) -> None:
    while memory:
        size = wire.recv_into(memory)
        if not size:
            raise Disconnected("Connection closed by server.")
        memory = memory[size:]


def _bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)
