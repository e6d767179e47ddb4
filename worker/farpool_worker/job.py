"""The data field of a job: a chunk's envelope, or a plain call of an RQ producer.  Read in children only."""

import zlib
from collections.abc import Callable
from typing import Any

from farpool_common.chunk import RUNNER
from farpool_common.codec import decode
from farpool_common.errors import DecodeError
from farpool_common.escape import printable

MAX_DATA_BYTES = 512 * 1024 * 1024
"""Of decompressed data: RQ compresses, and a few kilobytes could become terabytes (guess)."""

_ZLIB, _PICKLE, _JSON = 0x78, 0x80, 0x5B
"""First bytes: of what zlib wrote at any level, of pickle since protocol 2, of a JSON array."""


def chunk_of(data: bytes) -> bytes:
    """The envelope of a chunk.  Raises DecodeError."""
    match _fields(data, None):
        case [str(name), None, [bytes(envelope), _], _] if name == RUNNER:
            return envelope
        case _:
            raise DecodeError("the job's data is no chunk")


def plain_call_of(
    data: bytes, classes: Callable[[str], type] | None
) -> tuple[str, list[Any] | tuple[Any, ...], dict[str, Any]]:
    """Function name, arguments and keywords of a plain call.  Raises DecodeError."""
    match _fields(data, classes):
        case [str(name), None, (list() | tuple()) as args, dict(kwargs)]:
            return name, args, kwargs
        case [str(name), _, _, _]:
            raise DecodeError(f"{printable(name)} is called on an instance, which cannot travel without pickle")
        case _:
            raise DecodeError("the job's data is no call: it should be [function, None, arguments, keywords]")


def _fields(data: bytes, classes: Callable[[str], type] | None) -> Any:
    raw = _decompressed(data) if data[:1] == bytes([_ZLIB]) else data
    for first, writer in ((_PICKLE, "pickle"), (_JSON, "JSON")):
        if raw[:1] == bytes([first]):
            raise DecodeError(
                f"written with {writer}; this worker accepts msgpack only. "
                f"Give the queue farpool's serializer: Queue(..., serializer=farpool.Serializer)"
            )
    return decode(raw, classes=classes)


def _decompressed(data: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        raw = decompressor.decompress(data, MAX_DATA_BYTES)
    except zlib.error as error:
        raise DecodeError(f"the job's data is damaged: {error}") from error
    if decompressor.unconsumed_tail or not decompressor.eof:
        raise DecodeError(f"the job's data is cut short or larger than {MAX_DATA_BYTES:,} bytes")
    return raw
