"""References to large buffers that are stored beside a task, in pieces below one stem key."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgpack

from farpool_common.errors import DecodeError

PIECE_BYTES = 1024 * 1024 - 64
"""One string key holds at most this much, so that no command stalls other clients for long: a 64 MB
value holds the server for 80 to 116 ms, a piece for 1 to 2.  With what the server adds it fits the 1 MiB of
its allocator; 64 bytes more would take 1.25 (measured)."""

MAX_PARTS = 100_000
"""Buffers of one task; bounds what a hostile record can make a worker loop over (guess)."""


MAX_PARTS_BYTES = 64 * 1024**3
"""Bytes of all buffers of one task: what a hostile record can make others count up to (guess)."""


SHARED_KEY = re.compile(r"shm:([0-9a-f]{32}):([0-9a-f]{32}):([0-9]{1,13})")
"""Of a buffer in a file which processes of one host share (`shared/folder.py`): folder, file, offset."""


@dataclass(frozen=True)
class Part:
    """One stored buffer: `<key>:0`, `<key>:1`, ... hold its pieces; `checksum` is XXH3 of the whole.

    A shared one has no pieces in Redis, and no checksum.
    """

    key: str
    nbytes: int
    checksum: int

    @property
    def pieces(self) -> int:
        """How many string keys hold the buffer."""
        return 0 if self.is_shared else max(1, -(-self.nbytes // PIECE_BYTES))

    @property
    def is_shared(self) -> bool:
        """Whether it lies in a file and not in Redis."""
        return self.key.startswith("shm:")

    def piece_keys(self) -> Iterator[str]:
        """The string keys, in order."""
        return (f"{self.key}:{piece}" for piece in range(self.pieces))


@dataclass(frozen=True)
class StoredObject:
    """A value stored for many tasks: its id, which follows from its content, and its parts, the envelope first."""

    id: str
    parts: tuple[Part, ...]

    @property
    def nbytes(self) -> int:
        """Size of all of it."""
        return sum(part.nbytes for part in self.parts)


def is_object_id(text: str) -> bool:
    """Whether this is the id of a stored object: 128 bits in hexadecimal."""
    return re.fullmatch("[0-9a-f]{32}", text) is not None


def pack_parts(parts: Iterable[Part]) -> bytes:
    """Wire form of references; empty for none."""
    rows = [[part.key, part.nbytes, part.checksum] for part in parts]
    packed: bytes = msgpack.packb(rows) if rows else b""
    return packed


def unpack_parts(packed: bytes, prefix: str) -> tuple[Part, ...]:
    """Read references; every key must lie below farpool's data keys, or be a shared one.  Raises DecodeError."""
    if not packed:
        return ()
    try:
        rows = msgpack.unpackb(packed, max_array_len=MAX_PARTS)
    except Exception as error:
        raise DecodeError(f"the references to large buffers are damaged: {error}") from error
    return parts_from_rows(rows, prefix)


def parts_from_rows(rows: object, prefix: str) -> tuple[Part, ...]:
    """References from `[key, bytes, checksum]` rows.  Raises DecodeError."""
    if not isinstance(rows, Sequence) or len(rows) > MAX_PARTS:
        raise DecodeError("the references to large buffers are no list")
    stem = f"{prefix}:farpool:data:"
    parts = []
    for row in rows:
        match row:
            case [str(key), int(nbytes), int(checksum)] if _is_key(key, stem) and 0 <= nbytes < 2**40:
                parts.append(Part(key, nbytes, checksum))
            case _:
                raise DecodeError("a reference to a large buffer is damaged")
    if sum(part.nbytes for part in parts) > MAX_PARTS_BYTES:
        raise DecodeError(f"the large buffers take more than {MAX_PARTS_BYTES:,} bytes, by their references")
    return tuple(parts)


def _is_key(key: str, stem: str) -> bool:
    return key.startswith(stem) or SHARED_KEY.fullmatch(key) is not None
