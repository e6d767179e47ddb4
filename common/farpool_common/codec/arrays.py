"""NumPy arrays, scalars and dtypes on the wire.

An array is its dtype, order, bytes and shape.  Its bytes are in the envelope, or, when they are many,
a buffer beside it.  Import this module only where NumPy is wanted: it takes 100 ms.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from farpool_common.codec.dtypes import DType, dtype_from_wire, dtype_to_wire, items_in
from farpool_common.codec.kinds import Reading, Writing, malformed
from farpool_common.codec.limits import MAX_DIMENSIONS, MAX_EMPTY_ITEMS
from farpool_common.errors import DecodeError, EncodeError

Array = np.ndarray[Any, DType]

_NUMBERS = {np.dtype(code).type: np.dtype(code).str for code in "?bhilqBHILQefdFD"}
"""Wire form of the scalar types that need no second look."""

_TYPES = {np.dtype(code).type: dtype_to_wire(np.dtype(code)) for code in "?bhilqBHILQefdgFDGMmSUV"}
"""Wire form of the scalar types themselves."""

_DTYPES: dict[str, DType] = {wire: np.dtype(wire) for wire in _NUMBERS.values()}


# --- arrays ------------------------------------------------------------------------------------


def write_array(value: Array, writing: Writing) -> list[Any]:
    """Parts of an array.  Contiguous arrays are not copied.  Raises EncodeError."""
    _check_array(value)
    wire = dtype_to_wire(value.dtype)
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    return [wire, fortran, _stored(value, fortran, writing), *value.shape]


def read_array(parts: list[Any], reading: Reading) -> Array:
    """The array, writable.  Its size is checked before NumPy sees it.  Raises DecodeError."""
    match parts:
        case [wire, bool(fortran), (bytes() | int()) as data, *shape]:
            return _array(dtype_from_wire(wire), "F" if fortran else "C", data, shape, reading)
    raise malformed("array")


def _check_array(value: Array) -> None:
    if type(value) not in (np.ndarray, np.memmap):
        raise EncodeError(_advice_for_subclass(value))
    if value.dtype.hasobject:
        raise EncodeError(_advice_for_objects(value))
    if value.ndim > MAX_DIMENSIONS:
        raise EncodeError(f"an array of {value.ndim} dimensions; {MAX_DIMENSIONS} can travel")
    if value.itemsize == 0 and value.size > MAX_EMPTY_ITEMS:
        raise EncodeError(f"an array of {value.size:,} elements without bytes; {MAX_EMPTY_ITEMS:,} can travel")


def _stored(value: Array, fortran: bool, writing: Writing) -> memoryview | int:
    """The bytes of an array, or the number of the buffer that has them."""
    if writing.inline_limit is None or value.nbytes < writing.inline_limit:
        writing.inlined += value.nbytes
        return _bytes_of(value, fortran)
    # An array that occurs twice travels twice: calls that share a chunk must not share their memory.
    writing.buffers.append(_bytes_of(value, fortran))
    return len(writing.buffers) - 1


def _bytes_of(value: Array, fortran: bool) -> memoryview:
    if value.nbytes == 0:
        return memoryview(b"")
    flat = np.ascontiguousarray(value.T if fortran else value).reshape(-1)
    # As bytes, because datetimes, records and other byte orders have no buffer format that msgpack reads.
    return flat.view(np.uint8).data


def _array(dtype: DType, order: Any, data: bytes | int, shape: list[Any], reading: Reading) -> Array:
    size = items_in(shape)
    store = data if isinstance(data, bytes) else _buffer(data, reading)
    if size * dtype.itemsize != len(store):
        raise DecodeError(f"the shape and dtype of an array do not fit the {len(store):,} bytes that came with it")
    if dtype.itemsize == 0 and size > MAX_EMPTY_ITEMS:
        raise DecodeError(f"an array of more than {MAX_EMPTY_ITEMS:,} elements without bytes")
    if not store:  # not by copying: NumPy would copy text of no characters as text of one
        store = memoryview(bytearray())
    if dtype.names and isinstance(store, bytes):
        store = memoryview(bytearray(store))  # NumPy's copy leaves anything at all between the fields
    found: Array = np.ndarray(tuple(shape), dtype, store, order=order)
    if isinstance(store, bytes):
        found = found.copy(order="K")
    if reading.is_shared:
        found.flags.writeable = False
    return found


def _buffer(index: int, reading: Reading) -> memoryview:
    """A buffer beside the envelope, writable unless what is read is shared.  Arrays that were one array share it."""
    if type(index) is not int or not 0 <= index < len(reading.buffers):
        raise DecodeError(f"an array is in buffer {index}, and {len(reading.buffers)} came along")
    view = reading.buffers[index]
    if view.readonly and not reading.is_shared:
        view = reading.buffers[index] = memoryview(bytearray(view))
    return view.cast("B") if view.format != "B" or view.ndim != 1 else view


# --- scalars and dtypes ------------------------------------------------------------------------


def write_scalar(value: np.generic, _: Writing) -> list[Any]:
    """Parts of a NumPy scalar.  Raises EncodeError."""
    wire = _NUMBERS.get(type(value))
    if wire is not None:
        return [wire, value.tobytes()]
    if isinstance(value, np.str_):  # not by dtype, nor by str(): both drop NULs at the end
        return ["text", str.__str__(value)]
    if isinstance(value, np.bytes_):
        return ["text", bytes(value)]
    if type(value) is not value.dtype.type or value.dtype.hasobject:
        raise EncodeError(f"a {type(value).__module__}.{type(value).__qualname__}; convert with .item()")
    return [dtype_to_wire(value.dtype), value.tobytes()]


def read_scalar(parts: list[Any], reading: Reading) -> Any:
    """The scalar, of the type it had.  Raises DecodeError."""
    match parts:
        case [str(wire), bytes(data)] if wire in _DTYPES and len(data) == _DTYPES[wire].itemsize:
            return np.frombuffer(data, _DTYPES[wire])[0]  # a third of the time of the general way
        case ["text", str(text)]:
            return np.str_(text)
        case ["text", bytes(text)]:
            return np.bytes_(text)
        case [wire, bytes(data)]:
            return _array(dtype_from_wire(wire), "C", data, [], reading)[()]
    raise malformed("NumPy scalar")


def write_dtype(value: Any, _: Writing) -> list[Any]:
    """Parts of a dtype, or of a scalar type such as `numpy.float32`.  Raises EncodeError."""
    if isinstance(value, np.dtype):
        return [dtype_to_wire(value), False]
    code = _TYPES.get(value)
    if code is None:
        raise EncodeError(f"the type numpy.{value.__name__}; send a dtype")
    return [code, True]


def read_dtype(parts: list[Any], _: Reading) -> Any:
    """The dtype or scalar type.  Raises DecodeError."""
    match parts:
        case [wire, bool(is_type)]:
            dtype = dtype_from_wire(wire)
            return dtype.type if is_type else dtype
    raise malformed("dtype")


# --- columns of numbers --------------------------------------------------------------------------


def packed_array(values: Array) -> dict[str, Any] | None:
    """Wire form of an array of one dimension that is read number by number; None unless they are plain numbers."""
    wire = _NUMBERS.get(values.dtype.type)
    if wire is None or values.ndim != 1 or values.dtype.str != wire:
        return None
    return {"numbers": wire, "bytes": values.tobytes()}


def packed_scalars(values: Sequence[np.generic]) -> dict[str, Any] | None:
    """The same of scalars, which are all of one type."""
    kind = type(values[0])
    return packed_array(np.fromiter(values, kind, len(values))) if kind in _NUMBERS else None


def unpacked(wire: str, data: bytes) -> Array:
    """The numbers, read-only.  Raises DecodeError."""
    dtype = _DTYPES.get(wire)
    if dtype is None or len(data) % dtype.itemsize:
        raise malformed("column of numbers")
    return np.frombuffer(data, dtype)


# --- advice ------------------------------------------------------------------------------------


def _advice_for_subclass(value: Array) -> str:
    if isinstance(value, np.ma.MaskedArray):
        return (
            "a masked array; send value.filled(), or (value.data, value.mask) as a tuple "
            "and numpy.ma.array(data, mask=mask) there"
        )
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    return f"a {name}, a subclass of numpy.ndarray; send numpy.asarray(value) and make it again there"


def _advice_for_objects(value: Array) -> str:
    if value.dtype.names is not None:
        return f"dtype {value.dtype} has fields of Python objects; send the fields as separate values"
    for index, element in _elements(value):
        if not isinstance(element, (bool, int, float, complex, np.number, np.bool_)):
            return (
                f"dtype object: element {list(index)} is a {type(element).__name__}; convert with "
                f"value.tolist(), or with value.astype(...) to numbers or text of fixed width"
            )
    return "dtype object; its elements are numbers, convert with value.astype(float) or another number type"


def _elements(value: Array) -> Iterator[tuple[tuple[int, ...], Any]]:
    yield from np.ndenumerate(value)
