"""Waiting for work without polling: one blocked connection per queue.

The server moves one id to a list of our own and answers; a claim adopts that id.  That claim is sent ahead,
behind the command that waits: the server runs it as soon as the doorbell has rung, and one look at the
connection brings the task.  Moving, rather than peeking, wakes a single daemon per task however many wait.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import RedisError, ResponseError

from farpool_common.broker.connection import as_it_is
from farpool_common.broker.outages import translated
from farpool_common.broker.sentinels import primary_of
from farpool_common.keys import Keys

WAIT_SECONDS = 20
"""After this long the server answers with nothing and we ask again, so that a half-open connection is
noticed (guess)."""


@dataclass(frozen=True)
class WhenRung:
    """The claim that follows a ring: the text of its script, and the command, made anew each time."""

    script: str
    command: Callable[[], tuple[Any, ...]]


@dataclass(frozen=True)
class Ring:
    """What a doorbell brought: the answer of the claim, or the id that was moved and not claimed."""

    claimed: list[Any] | None = None
    moved: str | None = None


class Doorbell:
    """One queue's doorbell.  Main loop only.  `fileno` can be waited on while `is_armed`."""

    def __init__(self, client: redis.Redis, keys: Keys, queue: str, place: str, when_rung: WhenRung) -> None:
        self.queue = queue
        self._client, self._keys, self._place, self._when_rung = client, keys, place, when_rung
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
                self._connection.send_command("SCRIPT", "LOAD", self._when_rung.script)
                self._connection.read_response()
            queue, aside = self._keys.queue(self.queue), self._keys.doorbell(self.queue)
            wait = ("BLMOVE", queue, aside, "LEFT", "RIGHT", WAIT_SECONDS)
            self._connection.send_packed_command(self._connection.pack_commands([wait, self._when_rung.command()]))
            self.is_armed, self.armed_at = True, now

    @property
    def is_elsewhere(self) -> bool:
        """Whether it waits at a server that is no longer the one that our clients speak to."""
        primary = primary_of(self._client)
        known = self._connection
        return primary is not None and known is not None and (known.host, known.port) != primary

    def answer(self) -> Ring:
        """Read the answer that has arrived.  Raises an outage."""
        with translated(self._place), self._closing_on_error():
            moved, claimed = self._read(), self._read()
            self.is_armed = False
            if isinstance(moved, ResponseError):
                raise moved
        if isinstance(claimed, ResponseError):  # asked again by name, it says the same, or the script is there then
            return Ring(moved=None if moved is None else as_it_is(moved))
        return Ring(claimed)

    def _read(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error

    def disarm(self, client: redis.Redis) -> Ring:
        """Stop waiting; what was brought at the last moment.  Raises an outage."""
        if not self.is_armed:
            return Ring()
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
