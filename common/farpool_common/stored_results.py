"""Results that stay on the workers' side: each is stored as an object of its producer, who gets its description.

    value -> StoredResult -> description in the outcome -> reference at the producer

An object that nobody takes over, because the producer is gone or did not want the result any more, expires.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xxhash

from farpool_common.codec import Seal, encode
from farpool_common.errors import DecodeError, TooLargeError
from farpool_common.payload import is_object_id
from farpool_common.sizes import RESULT_BYTES_SETTING

Sizes = Sequence[tuple[int, int]]
"""Of each part of an object, the envelope first: bytes and checksum."""


@dataclass(frozen=True)
class Ownership:
    """Whose the results are, and after how many seconds they expire unless their owner renews them."""

    owner: str
    seconds: int


@dataclass(frozen=True)
class StoredResult:
    """A result as it is stored.  Its id is its own, not that of its content: so it has one owner, and goes with it."""

    id: str
    sizes: Sizes
    buffers: tuple[memoryview, ...]

    @property
    def description(self) -> list[Any]:
        """What takes the place of the value in its outcome."""
        return [self.id, [list(size) for size in self.sizes]]


def stored_result(value: Any, function: str, most_bytes: int, seal: Seal | None = None) -> StoredResult:
    """The stored form of a result.  Raises EncodeError and TooLargeError."""
    encoded = encode(value, seal=seal)
    if encoded.nbytes > most_bytes:
        raise TooLargeError(f"the result of {function}", encoded.nbytes, most_bytes, RESULT_BYTES_SETTING)
    buffers = (memoryview(encoded.envelope), *encoded.buffers)
    sizes = [(buffer.nbytes, xxhash.xxh3_64_intdigest(buffer)) for buffer in buffers]
    return StoredResult(secrets.token_hex(16), sizes, buffers)


def read_description(found: Any) -> tuple[str, Sizes]:
    """Id and sizes of a stored result.  Raises DecodeError."""
    match found:
        case [str(object_id), [_, *_] as rows] if is_object_id(object_id):
            return object_id, [_size(row) for row in rows]
    raise DecodeError("a result that stays with the workers is not described as one: are they older?")


def _size(row: Any) -> tuple[int, int]:
    match row:
        case [int(nbytes), int(checksum)] if 0 <= nbytes < 2**40:
            return nbytes, checksum
    raise DecodeError("the sizes of a result that stays with the workers are damaged")
