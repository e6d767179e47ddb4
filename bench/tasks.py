"""Functions that benchmarks send to workers."""

import os
import time

import numpy as np


def nothing(_: object = None) -> None:
    """The smallest task."""


def square(number: int) -> int:
    """The smallest task with a result."""
    return number * number


def wave_mean(seed: int) -> float:
    """The NumPy job: 80 MB of float64."""
    arr = np.random.default_rng(seed).random(10_000_000)
    return np.mean(np.sin(arr) + np.cos(arr))


def doubled(array: np.ndarray) -> np.ndarray:
    """An array there and an array back."""
    return array * 2.0


def maybe_fails(number: int) -> int:
    """Every tenth call raises."""
    if number % 10 == 0:
        raise ValueError(f"number {number} is one of ten")
    return number


def slept(seconds: float) -> float:
    """A call that takes so long and uses no core."""
    time.sleep(seconds)
    return seconds


def slow_pid(_: object = None) -> int:
    """Which process it runs in, taking long enough that others get their turn."""
    time.sleep(0.02)
    return os.getpid()


def pauses(seconds: float) -> float:
    """A task that is as long as its argument says."""
    time.sleep(seconds)
    return seconds


def pauses_long(seconds: float) -> float:
    """The same, under another name: a function that is known to be long."""
    time.sleep(seconds)
    return seconds


def stripe_sum(array: np.ndarray, number: int) -> float:
    """A small part of a large array."""
    return float(array[number::1000].sum())
