"""A value that only a pickle can describe, on the wire: signed bytes, and its large buffers beside them."""

from collections.abc import Sequence
from typing import Any

from farpool_common.codec.kinds import Code, Kind, Reading, Writing, malformed
from farpool_common.errors import DecodeError


class Sealed:
    """A pickle with the signature of whoever wrote it.  What `buffers` hold, arrays or references to stored ones,
    is read by the codec, and no signature covers it."""

    __slots__ = ("buffers", "signed")

    def __init__(self, signed: bytes, buffers: Sequence[Any] = ()) -> None:
        self.signed, self.buffers = signed, buffers


def _write_sealed(value: Sealed, writing: Writing) -> list[Any]:
    writing.inlined += len(value.signed)
    return [value.signed, *value.buffers]


def _read_sealed(parts: list[Any], reading: Reading) -> Any:
    match parts:
        case [bytes(signed), *buffers] if reading.seal is not None:
            return reading.seal.opened(Sealed(signed, buffers))
        case [bytes(), *_]:
            raise DecodeError("a pickled value stands where none is read")
    raise malformed("pickled value")


SEALED = Kind(Code.SEALED, _write_sealed, _read_sealed)
