"""How a job's data was written: recognised by its first byte, never guessed by trying."""

import zlib
from typing import Literal

from farpool_common.errors import DecodeError

Format = Literal["msgpack", "json", "pickle", "unknown"]

FORMATS: tuple[Format, ...] = ("msgpack", "json", "pickle")

_ZLIB = 0x78
"""First byte of what zlib writes at any level; none of the formats begins with it."""

_FIRST_BYTES: dict[int, Format] = {
    0x80: "pickle",  # since protocol 2
    0x5B: "json",  # an array
    **dict.fromkeys((*range(0x90, 0xA0), 0xDC, 0xDD), "msgpack"),  # arrays; farpool marks tuples by one more element
}

_LOOK_BYTES = 4096
"""Of compressed data this much is enough for a first byte, whatever tables come before it (guess)."""


def format_of(data: bytes) -> Format:
    """The format of a job's data field, compressed or not."""
    first = _inflated(data) if data[:1] == bytes([_ZLIB]) else data[:1]
    return _FIRST_BYTES.get(first[0], "unknown") if first else "unknown"


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data[:_LOOK_BYTES], 1)
    except zlib.error:
        return b""


MAX_DATA_BYTES = 512 * 1024 * 1024
"""Of decompressed data: RQ compresses, and a few kilobytes could become terabytes (guess)."""


def decompressed(data: bytes) -> bytes:
    """A job's data as its producer's serializer wrote it.  Raises DecodeError."""
    if data[:1] != bytes([_ZLIB]):
        return data
    decompressor = zlib.decompressobj()
    try:
        raw = decompressor.decompress(data, MAX_DATA_BYTES)
    except zlib.error as error:
        raise DecodeError(f"the job's data is damaged: {error}") from error
    if decompressor.unconsumed_tail or not decompressor.eof:
        raise DecodeError(f"the job's data is cut short or larger than {MAX_DATA_BYTES:,} bytes")
    return raw
