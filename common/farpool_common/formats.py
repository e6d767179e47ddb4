"""How a job's data was written: recognised by its first byte, never guessed by trying."""

import zlib
from typing import Literal

Format = Literal["msgpack", "json", "pickle", "unknown"]

FORMATS: tuple[Format, ...] = ("msgpack", "json", "pickle")

_ZLIB = 0x78
"""First byte of what zlib writes at any level; none of the formats begins with it."""

_FIRST_BYTES: dict[int, Format] = {
    0x80: "pickle",  # since protocol 2
    0x5B: "json",  # an array
    0x94: "msgpack",  # an array of four: function, instance, arguments, keywords
    0xDC: "msgpack",  # arrays of other encodings, which other writers may choose
    0xDD: "msgpack",
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
