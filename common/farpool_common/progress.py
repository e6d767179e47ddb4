"""How far a task has come: what it says of itself, and who hears it.

In a worker's process somebody listens; anywhere else nobody does, and saying it costs nothing.
"""

import math
import operator
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

MOST_LABEL = 200
"""Characters of a label; the rest is cut."""

_LARGEST = 2**53
"""Whole numbers beyond it are told as floats."""


@dataclass(frozen=True)
class TaskProgress:
    """`done` of `total`, in whatever unit the task counts, and a few words.  `total` is None where it is not known."""

    done: float
    total: float | None = None
    label: str = ""

    @property
    def fraction(self) -> float | None:
        """Between 0 and 1; None where the total is not known, or is 0."""
        return min(1.0, self.done / self.total) if self.total else None


Listener = Callable[[float, float | None, str], None]

_listener: Listener | None = None


def listen(listener: Listener | None) -> None:
    """Say who hears what tasks of this process report: once, before the first task."""
    global _listener
    _listener = listener


def progress(done: float, total: float | None = None, label: str = "") -> None:
    """Tell how far this task has come; `future.progress` and `farpool logs` show it.

    May be called as often as one likes: at most five times a second it goes on its way, the newest always.  Where no
    worker runs this code, nothing happens.  Raises ValueError for what is no count (negative, infinite, NaN), and
    TypeError for what is no number, or a label that is no text.
    """
    if type(done) is not int or not 0 <= done <= _LARGEST:
        done = _count("done", done)
    if total is not None and (type(total) is not int or not 0 <= total <= _LARGEST):
        total = _count("total", total)
    if type(label) is not str:
        raise TypeError(f"progress: the label is text, not {type(label).__name__}")
    if _listener is not None:
        _listener(done, total, label[:MOST_LABEL])


def track(items: Iterable[T], label: str = "", *, total: int | None = None) -> Iterator[T]:
    """The items, one by one; each is told as done when the next one is asked for.

    `total` is their number, where they do not know it themselves.  Raises as `progress` does.
    """
    if total is None:
        total = operator.length_hint(items, -1)
        total = None if total < 0 else total
    progress(0, total, label)
    return _tracked(items, total, label)


def _tracked(items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
    for done, item in enumerate(items, 1):
        yield item
        progress(done, total, label)


def as_progress(done: Any, total: Any, label: Any) -> TaskProgress | None:
    """The same from the wire; None for what nobody can have reported."""
    try:
        known = None if total is None else _count("total", total)
        return TaskProgress(_count("done", done), known, str(label)[:MOST_LABEL])
    except (TypeError, ValueError):
        return None


def _count(name: str, value: Any) -> float:
    """A number of things as int or float: NumPy's numbers, too."""
    try:
        whole = operator.index(value)
    except TypeError:
        whole = None
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"progress: {name} is a number, not {type(value).__name__}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"progress: {name} is a number, not {type(value).__name__}") from None
    except OverflowError:
        number = math.inf
    if not 0 <= number < math.inf:
        raise ValueError(f"progress: {name} is a number of things, at least 0, not {number}")
    return whole if whole is not None and whole <= _LARGEST else number


# A process that a task forks shares the memory in which its parent tells: it says nothing.
os.register_at_fork(after_in_child=lambda: listen(None))
