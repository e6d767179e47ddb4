"""Large buffers in string keys of 1 MiB, with a checksum of the whole."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import redis
import xxhash

from farpool_common.broker.outages import translated
from farpool_common.errors import DecodeError, ResultExpiredError
from farpool_common.keys import Keys
from farpool_common.payload import PIECE_BYTES, Part

_Item = TypeVar("_Item")

STORED_SECONDS = 3600
"""How long a stored buffer waits for the script that makes it part of a task or a reply."""

_PIECES_IN_FLIGHT = 8
"""Pieces per round trip: enough to keep the wire busy, and little enough to hold in memory."""


class Payloads:
    """Stores, fetches and removes buffers."""

    def __init__(self, client: redis.Redis, keys: Keys, place: str) -> None:
        self._client, self._keys, self._place = client, keys, place

    def store(self, owner: str, buffers: Sequence[memoryview]) -> list[Part]:
        """Write buffers; each expires in an hour unless a script makes it permanent before."""
        parts = []
        for index, buffer in enumerate(buffers):
            part = Part(self._keys.data(owner, index), len(buffer), xxhash.xxh3_64_intdigest(buffer))
            self.write(part, buffer)
            parts.append(part)
        return parts

    def write(self, part: Part, buffer: memoryview, seconds: int = STORED_SECONDS) -> None:
        """Write one buffer, for so many seconds."""
        with translated(self._place):
            for group in _groups(list(enumerate(part.piece_keys()))):
                pipeline = self._client.pipeline(transaction=False)
                for piece, key in group:
                    start = piece * PIECE_BYTES
                    pipeline.set(key, buffer[start : start + PIECE_BYTES], ex=seconds)
                pipeline.execute()

    def check_there(self, parts: Iterable[Part]) -> None:
        """See that buffers have the sizes that are noted for them, before anybody makes room for these.

        Raises ResultExpiredError when a piece is gone and DecodeError when a size is wrong.
        """
        with translated(self._place):
            for part in parts:
                found = [size for group in _groups(list(part.piece_keys()), 500) for size in self._sizes(group)]
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
        offset = 0
        with translated(self._place):
            for group in _groups(list(part.piece_keys())):
                pieces: list[bytes | None] = self._client.mget(group)  # type: ignore[assignment]
                for key, piece in zip(group, pieces, strict=True):
                    if piece is None:
                        raise ResultExpiredError(f"a stored buffer is gone ({key}): it was kept for its time to live")
                    if offset + len(piece) > part.nbytes:
                        raise DecodeError(f"a stored buffer is longer than the {part.nbytes:,} bytes noted for it")
                    target[offset : offset + len(piece)] = piece
                    offset += len(piece)
        if offset != part.nbytes or xxhash.xxh3_64_intdigest(target) != part.checksum:
            raise DecodeError(f"a stored buffer is damaged: its checksum differs ({part.key})")

    def fetch(self, part: Part) -> memoryview:
        """Read a buffer into new memory, writable."""
        target = memoryview(bytearray(part.nbytes))
        self.fetch_into(part, target)
        return target

    def forget(self, parts: Iterable[Part]) -> None:
        """Remove buffers."""
        with translated(self._place):
            for group in _groups([key for part in parts for key in part.piece_keys()], 500):
                self._client.unlink(*group)


def _groups(items: list[_Item], size: int = _PIECES_IN_FLIGHT) -> Iterable[list[_Item]]:
    return (items[i : i + size] for i in range(0, len(items), size))
