"""Waiting for work without polling: one blocked connection per queue.

The server moves one id to a list of our own and answers; the next claim adopts that id.
Moving, rather than peeking, wakes a single daemon per task however many wait.
"""

from typing import Any

import redis
from redis.exceptions import RedisError

from farpool_common.broker.connection import as_it_is
from farpool_common.broker.outages import translated
from farpool_common.broker.sentinels import primary_of
from farpool_common.keys import Keys

WAIT_SECONDS = 20
"""After this long the server answers with nothing and we ask again, so that a half-open connection is
noticed (guess)."""


class Doorbell:
    """One queue's doorbell.  Main loop only.  `fileno` can be waited on while `is_armed`."""

    def __init__(self, client: redis.Redis, keys: Keys, queue: str, place: str) -> None:
        self.queue = queue
        self._client, self._keys, self._place = client, keys, place
        self._connection: Any = None
        self._client_id = 0
        self.is_armed = False
        self.armed_at = 0.0

    def fileno(self) -> int:
        """The socket to wait on."""
        number: int = self._connection._get_socket().fileno()  # redis-py has no public way to it
        return number

    def arm(self, now: float) -> None:
        """Ask for the next id; `armed_at` becomes `now`.  Raises an outage."""
        with translated(self._place), self._closing_on_error():
            if self._connection is None:
                # Not by the pool's make_connection: that counts, and refuses after a hundred reconnects.
                pool = self._client.connection_pool
                self._connection = pool.connection_class(**pool.connection_kwargs)
                self._connection.connect()
                self._connection.send_command("CLIENT", "ID")
                self._client_id = self._connection.read_response()
            queue, aside = self._keys.queue(self.queue), self._keys.doorbell(self.queue)
            self._connection.send_command("BLMOVE", queue, aside, "LEFT", "RIGHT", WAIT_SECONDS)
            self.is_armed, self.armed_at = True, now

    @property
    def is_elsewhere(self) -> bool:
        """Whether it waits at a server that is no longer the one that our clients speak to."""
        primary = primary_of(self._client)
        known = self._connection
        return primary is not None and known is not None and (known.host, known.port) != primary

    def answer(self) -> str | None:
        """Read the answer that has arrived: the id that was moved, as it is, or None.  Raises an outage."""
        with translated(self._place), self._closing_on_error():
            moved = self._connection.read_response()
            self.is_armed = False
        return None if moved is None else as_it_is(moved)

    def disarm(self, client: redis.Redis) -> str | None:
        """Stop waiting; the id that was moved at the last moment, or None.  Raises an outage."""
        if not self.is_armed:
            return None
        with translated(self._place):
            client.client_unblock(self._client_id)
        return self.answer()

    def close(self) -> None:
        """Drop the connection."""
        self.is_armed = False
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def _closing_on_error(self) -> "_ClosingOnError":
        return _ClosingOnError(self)


class _ClosingOnError:
    """A connection that saw an error may hold half an answer: it is never used again."""

    def __init__(self, doorbell: Doorbell) -> None:
        self._doorbell = doorbell

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, (RedisError, OSError)):
            self._doorbell.close()
