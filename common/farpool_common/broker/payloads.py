"""Large buffers in string keys of 1 MiB at most, with a checksum of the whole."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import redis
import xxhash

from farpool_common.broker.bulk import Bulk
from farpool_common.broker.connection import TIMEOUT_SECONDS
from farpool_common.broker.outages import translated
from farpool_common.errors import DecodeError, ResultError, ResultExpiredError
from farpool_common.keys import Keys
from farpool_common.payload import PIECE_BYTES, Part
from farpool_common.reuse import LEAST_BYTES, ReusedMemory

STORED_SECONDS = 3600
"""How long a stored buffer waits for the script that makes it part of a task or a reply."""

_MOST_KEYS = 500
"""Keys in one command, so that it stalls nobody."""


QUICK_BYTES, QUICK_SECONDS = 1024 * 1024, 0.005
"""What is so little, over a link that moves it in so little time, need not be left to another thread: that
costs 0.1 to 0.3 ms (guess)."""


class Payloads:
    """Stores, fetches and removes buffers."""

    def __init__(self, client: redis.Redis, keys: Keys, place: str) -> None:
        self._client, self._keys, self._place = client, keys, place
        self._bulk, self._quick_bulk = Bulk(client), Bulk(client, TIMEOUT_SECONDS)
        self._memory = ReusedMemory()
        self._seconds_per_byte: float | None = None

    def store(self, owner: str, buffers: Sequence[memoryview], seconds: int = STORED_SECONDS) -> list[Part]:
        """Write buffers; each expires after so many seconds unless a script makes it permanent before."""
        parts = []
        for index, buffer in enumerate(buffers):
            part = Part(self._keys.data(owner, index), len(buffer), xxhash.xxh3_64_intdigest(buffer))
            self.write(part, buffer, seconds)
            parts.append(part)
        return parts

    def write(self, part: Part, buffer: memoryview, seconds: int = STORED_SECONDS) -> None:
        """Write one buffer, for so many seconds."""
        with translated(self._place), self._timed(part.nbytes):
            self._bulk_for(part).set_all(_items(part, buffer), seconds)

    def _bulk_for(self, part: Part) -> Bulk:
        """Somebody who must not wait for long may be moving what is little."""
        return self._quick_bulk if part.nbytes <= QUICK_BYTES else self._bulk

    def is_quick(self, nbytes: int) -> bool:
        """Whether it is little to move, over a link that has been quick of late."""
        pace = self._seconds_per_byte
        return nbytes <= QUICK_BYTES and pace is not None and pace * QUICK_BYTES <= QUICK_SECONDS

    @contextmanager
    def _timed(self, nbytes: int) -> Iterator[None]:
        started = monotonic()
        yield
        if nbytes:
            latest, before = (monotonic() - started) / nbytes, self._seconds_per_byte
            self._seconds_per_byte = latest if before is None else 0.8 * before + 0.2 * latest

    def check_there(self, parts: Iterable[Part]) -> None:
        """See that buffers have the sizes that are noted for them, before anybody makes room for these.

        Raises ResultExpiredError when a piece is gone and DecodeError when a size is wrong.
        """
        with translated(self._place):
            for part in parts:
                found = [size for group in _groups(list(part.piece_keys())) for size in self._sizes(group)]
                if 0 in found and part.nbytes:
                    raise ResultExpiredError(f"a stored buffer is gone ({part.key}): it was kept for its time to live")
                if sum(found) != part.nbytes:
                    raise DecodeError(f"a stored buffer has not the {part.nbytes:,} bytes noted for it")

    def _sizes(self, keys: Sequence[str]) -> list[int]:
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.strlen(key)
        sizes: list[int] = pipeline.execute()
        return sizes

    def fetch_into(self, part: Part, target: memoryview) -> None:
        """Read a buffer into `target`, which has its size.

        Raises ResultExpiredError when a piece is gone and DecodeError when it is damaged.
        """
        checksum = xxhash.xxh3_64()
        with translated(self._place), self._timed(part.nbytes):
            self._bulk_for(part).get_all(_items(part, target), checksum.update)
        if checksum.intdigest() != part.checksum:
            raise DecodeError(f"a stored buffer is damaged: its checksum differs ({part.key})")

    def fetch(self, part: Part) -> memoryview:
        """Read a buffer into memory of its own, writable.  Raises ResultError when there is none."""
        try:
            large = part.nbytes >= LEAST_BYTES
            target = self._memory.take(part.nbytes) if large else memoryview(bytearray(part.nbytes))
        except (MemoryError, OSError) as error:
            raise ResultError(f"no memory for a result of {part.nbytes:,} bytes: {error}") from error
        self.fetch_into(part, target)
        return target

    def trim(self) -> None:
        """Give memory back that was kept for the next `fetch`, and not used of late."""
        self._memory.trim()

    def close(self) -> None:
        """Keep no memory any more."""
        self._memory.close()

    def forget(self, parts: Iterable[Part]) -> None:
        """Remove buffers."""
        with translated(self._place):
            for group in _groups([key for part in parts for key in part.piece_keys()]):
                self._client.unlink(*group)


def _items(part: Part, buffer: memoryview) -> Iterator[tuple[str, memoryview]]:
    """The pieces of a buffer: their keys, and their ranges of its memory."""
    for piece, key in enumerate(part.piece_keys()):
        yield key, buffer[piece * PIECE_BYTES : (piece + 1) * PIECE_BYTES]


def _groups(keys: list[str]) -> Iterable[list[str]]:
    return (keys[i : i + _MOST_KEYS] for i in range(0, len(keys), _MOST_KEYS))
