"""NumPy dtypes on the wire: a closed set of spellings, and lists of fields for records.

NumPy never parses a string from the wire that this module has not matched in full first: it would
accept `(1000,1000,10)f8`, 80 MB per element.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from farpool_common.codec.limits import MAX_DIMENSIONS, MAX_DTYPE_DEPTH, MAX_ITEM_BYTES
from farpool_common.errors import DecodeError, EncodeError

DType = np.dtype[Any]

_PLAIN = re.compile(
    r"\|b1|\|[iu]1|[<>][iu][248]|[<>]f[248]|[<>]c(8|16)"
    r"|[<>][mM]8(\[\d{0,10}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?",
    re.ASCII,
)
_SIZED = re.compile(r"\|[SV](\d{1,9})|[<>]U(\d{1,9})", re.ASCII)
_LONG = re.compile(r"([<>][fc]\d\d):(\d{1,3})", re.ASCII)
"""Long doubles, with the bits of their mantissa: 16 bytes mean different things on x86 and ARM."""


@lru_cache(256)
def dtype_to_wire(dtype: DType) -> Any:
    """The wire form of a dtype.  Raises EncodeError.  The result is shared: do not change it."""
    if dtype.itemsize > MAX_ITEM_BYTES:
        raise EncodeError(f"dtype {dtype}: an element has {dtype.itemsize:,} bytes; {MAX_ITEM_BYTES:,} can travel")
    if dtype.hasobject:
        raise EncodeError(f"dtype {dtype} holds Python objects")
    try:
        wire = _fields_to_wire(dtype) if dtype.names is not None else _plain_to_wire(dtype)
        same = dtype_from_wire(wire) == dtype
    except (DecodeError, ValueError, TypeError):
        same = False
    if not same:  # a dtype of another package (bfloat16), or too deep
        raise EncodeError(f"dtype {dtype} cannot travel; convert with .astype(...)")
    return wire


def _plain_to_wire(dtype: DType) -> str:
    if dtype.kind in "fc" and dtype.itemsize > (8 if dtype.kind == "f" else 16):
        return f"{dtype.str}:{np.finfo(dtype).nmant}"
    return dtype.str


def _fields_to_wire(dtype: DType) -> list[Any]:
    rows: list[Any] = [dtype.itemsize]
    fields: Mapping[str, Any] = dtype.fields or {}
    for name in dtype.names or ():
        field = fields[name]
        base, shape = field[0].subdtype or (field[0], ())
        label = [field[2], name] if len(field) > 2 else name
        rows.append([label, dtype_to_wire(base), field[1], *shape])
    return rows


def dtype_from_wire(wire: Any) -> DType:
    """The dtype that `dtype_to_wire` wrote.  Raises DecodeError, or NumPy's own errors."""
    return _from_wire(wire, depth=0)


def _from_wire(wire: Any, depth: int) -> DType:
    return _parsed(wire) if isinstance(wire, str) else _record(wire, depth)


@lru_cache(256)
def _parsed(text: str) -> DType:
    if _PLAIN.fullmatch(text):
        return np.dtype(text)
    if found := _SIZED.fullmatch(text):
        _check_item(int(found[1] or found[2]) * (4 if "U" in text else 1))
        return np.dtype(text)
    if found := _LONG.fullmatch(text):
        return _long(found[1], int(found[2]))
    raise DecodeError("an array has a dtype that farpool does not write")


def _long(text: str, mantissa: int) -> DType:
    here = np.finfo(np.longdouble)
    sizes = {"f": np.dtype(np.longdouble).itemsize, "c": np.dtype(np.clongdouble).itemsize}
    if mantissa != here.nmant or int(text[2:]) != sizes[text[1]]:
        raise DecodeError("a long double from a machine with another format; convert with .astype('f8') there")
    return np.dtype(text)


def _record(wire: Any, depth: int) -> DType:
    match wire:
        case [int(itemsize), *rows] if itemsize >= 0 and depth < MAX_DTYPE_DEPTH:
            _check_item(itemsize)
            fields = [_field(row, itemsize, depth) for row in rows]
            columns = {key: [field[key] for field in fields] for key in ("names", "formats", "offsets", "titles")}
            # NumPy reads the keys of a dict one by one and refuses names that occur twice.
            return np.dtype({**columns, "itemsize": itemsize})  # type: ignore[call-overload, no-any-return]
    raise DecodeError("malformed dtype")


def _field(row: Any, itemsize: int, depth: int) -> dict[str, Any]:
    match row:
        case [label, wire, int(offset), *shape]:
            base = _from_wire(wire, depth + 1)
            if offset < 0 or offset + base.itemsize * items_in(shape) > itemsize:
                raise DecodeError("a field lies outside of its record")
            form = np.dtype((base, tuple(shape))) if shape else base
            title, name = _label(label)
            return {"names": name, "formats": form, "offsets": offset, "titles": title}
    raise DecodeError("malformed field of a dtype")


def _label(label: Any) -> tuple[str | None, str]:
    """Title and name of a field."""
    match label:
        case str(name):
            return None, name
        case [str(title), str(name)]:
            return title, name
    raise DecodeError("malformed name of a field")


def _check_item(itemsize: int) -> None:
    if itemsize > MAX_ITEM_BYTES:
        raise DecodeError(f"an element of an array has more than {MAX_ITEM_BYTES:,} bytes")


def items_in(shape: list[Any]) -> int:
    """How many elements a shape has, in Python's integers, which do not overflow.  Raises DecodeError."""
    if len(shape) > MAX_DIMENSIONS:
        raise DecodeError(f"an array has more than {MAX_DIMENSIONS} dimensions")
    for length in shape:
        if type(length) is not int or not 0 <= length < 2**63:
            raise DecodeError("a dimension of an array is no length")
    return math.prod(shape)
