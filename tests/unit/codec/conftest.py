"""What equal means for a value that travelled."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def _same(a: Any, b: Any) -> bool:
    """Equal in type, value and structure; NaN equals itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    if isinstance(a, complex):
        return _same(a.real, b.real) and _same(a.imag, b.imag)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(_same(*pair) for pair in zip(a.items(), b.items(), strict=True))
    return bool(a == b) or a != a


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], bool]:
    return _same
