"""The door to `arrays`, which is imported when the first NumPy value passes.

A process that handles no arrays does not load NumPy for the codec.
"""

import sys
from functools import cache
from types import ModuleType
from typing import Any

from farpool_common.codec.kinds import Code, Kind, Reading, Writing


def kind_of(value: Any) -> Kind | None:
    """How a NumPy value is written, or None when it is none."""
    numpy = sys.modules.get("numpy")
    if numpy is None:  # then it cannot be an object of NumPy's
        return None
    if isinstance(value, numpy.generic):
        return SCALAR
    if isinstance(value, numpy.ndarray):
        return ARRAY
    if isinstance(value, numpy.dtype) or (isinstance(value, type) and issubclass(value, numpy.generic)):
        return DTYPE
    return None


@cache  # an import statement that finds its module takes 0.4 µs still
def arrays() -> ModuleType:
    """The module for NumPy's values."""
    # Here and not above: see the module's docstring.
    from farpool_common.codec import arrays as module

    return module


def _write_array(value: Any, writing: Writing) -> Any:
    return arrays().write_array(value, writing)


def _read_array(parts: list[Any], reading: Reading) -> Any:
    return arrays().read_array(parts, reading)


def _write_scalar(value: Any, writing: Writing) -> Any:
    return arrays().write_scalar(value, writing)


def _read_scalar(parts: list[Any], reading: Reading) -> Any:
    return arrays().read_scalar(parts, reading)


def _write_dtype(value: Any, writing: Writing) -> Any:
    return arrays().write_dtype(value, writing)


def _read_dtype(parts: list[Any], reading: Reading) -> Any:
    return arrays().read_dtype(parts, reading)


ARRAY = Kind(Code.ARRAY, _write_array, _read_array)
SCALAR = Kind(Code.SCALAR, _write_scalar, _read_scalar)
DTYPE = Kind(Code.DTYPE, _write_dtype, _read_dtype)
