"""Numbers, identifiers, paths and constants of the standard library on the wire."""

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from types import EllipsisType, NotImplementedType
from typing import Any
from uuid import UUID

from msgpack import ExtType

from farpool_common.codec.kinds import Code, Kind, Reading, Writing, malformed
from farpool_common.codec.limits import MAX_FRACTION_BYTES
from farpool_common.errors import EncodeError

_PATHS: Mapping[type[PurePath], int] = {
    PosixPath: 0,
    WindowsPath: 0,
    PurePosixPath: 1,
    PureWindowsPath: 2,
}
_FLAVOURS: Mapping[int, type[PurePath]] = {0: Path, 1: PurePosixPath, 2: PureWindowsPath}
_CONSTANTS: Mapping[int, Any] = {0: Ellipsis, 1: NotImplemented}


def long_int(value: int) -> ExtType:
    """An integer beyond msgpack's 64 bits: the only extension that has content, and no tagged array."""
    # Bytes, because text would take time quadratic in the number of digits.
    return ExtType(int(Code.INT), value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def read_long_int(data: bytes) -> int:
    """The integer of such an extension."""
    return int.from_bytes(data, "little", signed=True)


def _write_complex(value: complex, _: Writing) -> list[Any]:
    return [value.real, value.imag]


def _read_complex(parts: list[Any], _: Reading) -> complex:
    match parts:
        case [float(real), float(imag)]:
            return complex(real, imag)
    raise malformed("complex")


def _write_decimal(value: Decimal, _: Writing) -> list[Any]:
    return [str(value)]


def _read_decimal(parts: list[Any], _: Reading) -> Decimal:
    match parts:
        case [str(text)]:
            return Decimal(text)
    raise malformed("Decimal")


def _write_fraction(value: Fraction, _: Writing) -> list[Any]:
    if _is_long(value.numerator) or _is_long(value.denominator):
        raise EncodeError(f"a Fraction of numbers above {MAX_FRACTION_BYTES:,} bytes; send the two numbers")
    return [value.numerator, value.denominator]


def _read_fraction(parts: list[Any], _: Reading) -> Fraction:
    match parts:
        case [int(numerator), int(denominator)] if not _is_long(numerator) and not _is_long(denominator):
            return Fraction(numerator, denominator)
    raise malformed("Fraction")


def _is_long(number: int) -> bool:
    return math.ceil(number.bit_length() / 8) > MAX_FRACTION_BYTES


def _write_uuid(value: UUID, _: Writing) -> list[Any]:
    return [value.bytes]


def _read_uuid(parts: list[Any], _: Reading) -> UUID:
    match parts:
        case [bytes(data)]:
            return UUID(bytes=data)
    raise malformed("UUID")


def _write_path(value: PurePath, _: Writing) -> list[Any]:
    return [_PATHS[type(value)], str(value)]


def _read_path(parts: list[Any], _: Reading) -> PurePath:
    match parts:
        case [int(flavour), str(text)] if flavour in _FLAVOURS:
            return _FLAVOURS[flavour](text)
    raise malformed("path")


def _write_constant(value: Any, _: Writing) -> list[Any]:
    return [0 if value is Ellipsis else 1]


def _read_constant(parts: list[Any], _: Reading) -> Any:
    match parts:
        case [int(number)] if number in _CONSTANTS:
            return _CONSTANTS[number]
    raise malformed("constant")


_PATH = Kind(Code.PATH, _write_path, _read_path)
_CONSTANT = Kind(Code.CONSTANT, _write_constant, _read_constant)

KINDS: Mapping[type, Kind] = {
    complex: Kind(Code.COMPLEX, _write_complex, _read_complex),
    Decimal: Kind(Code.DECIMAL, _write_decimal, _read_decimal),
    Fraction: Kind(Code.FRACTION, _write_fraction, _read_fraction),
    UUID: Kind(Code.UUID, _write_uuid, _read_uuid),
    **dict.fromkeys(_PATHS, _PATH),
    EllipsisType: _CONSTANT,
    NotImplementedType: _CONSTANT,
}
