"""Large strings one after the other, while the next one is on its way already."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import redis

from farpool_common.broker.outages import translated

AHEAD = 2
"""Strings asked for at once: one is read while the server sends the next."""


def streamed(client: redis.Redis, keys: Iterable[str], place: str) -> Iterator[bytes | None]:
    """The value of each key, None where there is none.  Raises farpool's errors.

    Each should be dropped before the next is taken: then they all use the same memory.  A pipeline or MGET of a
    few megabytes takes twice to four times as long, for it needs fresh memory for each string.
    """
    pool = client.connection_pool
    with translated(place):
        connection: Any = pool.get_connection()
        try:
            yield from _answers(connection, iter(keys))
        except BaseException:  # also when nobody wants the rest: answers are on their way
            connection.disconnect()
            raise
        finally:
            pool.release(connection)


def _answers(connection: Any, keys: Iterator[str]) -> Iterator[bytes | None]:
    asked: deque[str] = deque()

    def ask() -> None:
        for key in keys:
            connection.send_command("GET", key)
            asked.append(key)
            return

    for _ in range(AHEAD):
        ask()
    while asked:
        value: bytes | None = connection.read_response()
        asked.popleft()
        ask()
        yield value
        del value
