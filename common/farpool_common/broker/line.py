"""A connection of our own: commands go out together, and their answers come back in order.

redis-py makes it, so every kind of address works, and reads what comes; its pool, its repeats and its
conversions, which cost more than a small command itself, are left out.
"""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import redis
from redis.connection import PythonRespSerializer
from redis.exceptions import ResponseError

from farpool_common.broker.outages import translated
from farpool_common.broker.sentinels import primary_of

Command = tuple[Any, ...]

LOOK_SECONDS = 1.0
"""A connection that was left alone for this long may be gone: that is looked at before it is used (guess)."""

COPIED_BYTES = 6000
"""Arguments up to this size are joined into one buffer before they are sent; redis-py's own default."""


class Line:
    """Made when it is first used, and anew after an error.  One thread at a time."""

    def __init__(self, client: redis.Redis, place: str, on_connect: Callable[[], None] | None = None) -> None:
        """`on_connect` is called with each new connection, for what belongs at its beginning."""
        self._client, self._place, self._on_connect = client, place, on_connect
        self._connection: Any = None
        self._used_at = 0.0
        self._waiting = 0

    def call(self, *command: Any) -> Any:
        """The answer to a command.  Raises farpool's errors, but redis-py's for what the server answers."""
        self.send([command])
        (answer,) = self.answers()
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    def send(self, commands: Sequence[Command]) -> None:
        """Send commands; `answers` reads what they lead to.  Raises an outage."""
        data = b"".join(map(packed, commands))
        with translated(self._place), _ClosingOnError(self):
            self._open().send_packed_command([data])
            self._waiting += len(commands)

    def answers(self, count: int | None = None, *, meanwhile: Callable[[], None] | None = None) -> list[Any]:
        """The answers that are still to come, or the first of them; errors of the server among them as values.

        `meanwhile` is called before they are waited for.  Raises an outage.
        """
        count = self._waiting if count is None else count
        with translated(self._place), _ClosingOnError(self):
            if meanwhile is not None:
                meanwhile()
            found = [self._read() for _ in range(count)]
        self._waiting -= count
        self._used_at = monotonic()
        return found

    def _read(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error

    @property
    def is_waiting(self) -> bool:
        """Whether answers are still to come."""
        return self._waiting > 0

    def has_answer(self, seconds: float) -> bool:
        """Whether an answer begins to arrive within that time.  Raises an outage."""
        with translated(self._place), _ClosingOnError(self):
            return bool(self._connection.can_read(timeout=seconds))

    @property
    def is_elsewhere(self) -> bool:
        """Whether it leads to a server that is no longer the one that sentinels name."""
        primary, known = primary_of(self._client), self._connection
        return primary is not None and known is not None and (known.host, known.port) != primary

    def fileno(self) -> int:
        """The socket, to wait for an answer."""
        number: int = self._connection._get_socket().fileno()  # redis-py has no public way to it
        return number

    def close(self) -> None:
        """Drop the connection; a read in another thread ends with an outage."""
        connection, self._connection, self._waiting = self._connection, None, 0
        if connection is not None:
            connection.disconnect()

    def _open(self) -> Any:
        if self._connection is not None and not self._waiting and self._is_gone():
            self.close()
        if self._connection is None:
            # Not by the pool's make_connection: that counts, and refuses after a hundred reconnects.
            pool = self._client.connection_pool
            self._connection = pool.connection_class(**pool.connection_kwargs)
            self._connection.connect()
            self._used_at = monotonic()
            if self._on_connect is not None:
                self._on_connect()
        return self._connection

    def _is_gone(self) -> bool:
        # What can be read now, with nothing asked for, is an end of file, or a word that nobody will take.
        is_old = monotonic() - self._used_at > LOOK_SECONDS
        return self.is_elsewhere or (is_old and bool(self._connection.can_read(timeout=0)))


class _ClosingOnError:
    """A connection that saw an error may hold half an answer: it is never used again."""

    def __init__(self, line: Line) -> None:
        self._line, self._connection = line, line._connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None:
            return
        was_closed = self._line._connection is not self._connection or self._connection is None
        self._line.close()
        if was_closed and isinstance(error, (TypeError, AttributeError, ValueError)):
            # `close` took the socket away in another thread; redis-py stumbles over that in its own ways.
            raise ConnectionError("the connection was closed here") from error


def packed(command: Command) -> bytes:
    """The wire form of a command; its items are bytes, text or numbers."""
    found: bytes = _pack(command)
    return found


def _in_python(command: Command) -> bytes:
    pack: Any = PythonRespSerializer(COPIED_BYTES, encoded).pack
    return b"".join(pack(*command))


def encoded(value: Any) -> bytes | memoryview:
    """An argument of a command as bytes; large values come as memoryviews and stay as they are."""
    return value if isinstance(value, (bytes, memoryview)) else str(value).encode()


def _packer() -> Callable[[Any], Any]:
    try:
        from hiredis import pack_command
    except ImportError:  # the extra `fast` is not installed
        return _in_python
    return pack_command


_pack = _packer()
