"""Functions on arrays that tests send to the workers of an embedded pool."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

KEPT: list[Any] = []


def doubled(array: Any) -> Any:
    return array * 2


def total(array: Any) -> float:
    return float(array.sum())


def filled(array: Any, value: float) -> Any:
    array[:] = value
    return array


def keep(array: Any) -> int:
    KEPT.append(array)
    return os.getpid()


def kept_ends() -> tuple[int, list[tuple[float, float]]]:
    return os.getpid(), [(float(array[0]), float(array[-1])) for array in KEPT]


def spoil_and_die_once(array: Any, marker: str) -> float:
    """The sum of what came; the first time it is spoiled, and the process killed."""
    if Path(marker).exists():
        return total(array)
    array[:] = -1.0
    Path(marker).touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def several(count: int, length: int) -> list[Any]:
    return [np.full(length, float(number)) for number in range(count)]
