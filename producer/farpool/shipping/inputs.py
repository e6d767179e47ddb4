"""The inputs of a map, as one sequence per argument."""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, repeat
from operator import is_
from typing import Any, TypeVar

from farpool_common.codec import Ref, Repeated

T = TypeVar("T")

Columns = list[Sequence[Any]]

_LISTED = (list, tuple, str, bytes)


def reader_of(iterables: Sequence[Iterable[Any]]) -> Callable[[int | None], Columns]:
    """What reads the next inputs, up to so many (None: all), and up to the end of the shortest iterable.

    Ranges and arrays stay what they are, in slices, and travel so.
    """
    if all(type(iterable) in _LISTED or _is_column(iterable) for iterable in iterables):
        return _Slices(iterables).read  # type: ignore[arg-type]  # all of them are sequences
    if len(iterables) == 1:
        values = iter(iterables[0])
        return lambda count: [list(islice(values, count))]
    rows = zip(*iterables, strict=False)
    return lambda count: _turned(list(islice(rows, count)), len(iterables))


def _turned(rows: list[tuple[Any, ...]], width: int) -> Columns:
    return list(zip(*rows, strict=True)) if rows else [()] * width


class _Slices:
    """Reads sequences."""

    def __init__(self, sequences: Sequence[Sequence[Any]]) -> None:
        self._sequences, self._at = sequences, 0

    def read(self, count: int | None) -> Columns:
        start, stop = self._at, min(map(len, self._sequences))
        if count is not None:
            stop = min(stop, start + count)
        self._at = max(start, stop)
        return [_column(sequence[start:stop]) for sequence in self._sequences]


def _is_column(iterable: Any) -> bool:
    """Whether slices of it are columns: what they give when iterated over arrives as it is here."""
    if type(iterable) in (range, Repeated):
        return True
    numpy = sys.modules.get("numpy")
    if numpy is None or type(iterable) not in (numpy.ndarray, numpy.memmap):
        return False
    return iterable.ndim > 0 and not iterable.dtype.hasobject


def _column(values: Any) -> Any:
    """A slice, safe from what is done to the whole later; but rows of arrays are views, as everywhere, and what
    is in a file stays there until it is sent."""
    if not _is_column(values):
        return list(values)
    return values.copy() if _is_copied(values) else values


def _is_copied(column: Any) -> bool:
    return getattr(column, "ndim", 0) == 1 and type(column) is not sys.modules["numpy"].memmap


def for_ever(value: T) -> Repeated[T]:
    """An input that is the same for all calls."""
    return Repeated(value, sys.maxsize)


def folded(column: Sequence[Any]) -> Sequence[Any]:
    """A column with one value instead of many, where the same one stands everywhere and nobody can change it."""
    if len(column) < 2 or isinstance(column, range):
        return column
    if type(column[0]) not in _UNCHANGING:  # each call has its own
        return list(column) if isinstance(column, Repeated) else column
    return Repeated(column[0], len(column)) if all(map(is_, column, repeat(column[0]))) else column


_UNCHANGING = {Ref, int, float, complex, str, bytes, bool, type(None)}


class Inputs:
    """Columns of which pieces are taken from the front while more may be added at the back."""

    def __init__(self) -> None:
        self._blocks: deque[Columns] = deque()
        self._at = 0  # what was taken of the first block
        self._left = 0

    def __len__(self) -> int:
        """Inputs that were not taken."""
        return self._left

    def add(self, columns: Columns) -> int:
        """Add inputs; returns how many."""
        count = len(columns[0])
        if count:
            self._blocks.append(columns)
            self._left += count
        return count

    def take(self, count: int) -> Columns:
        """The next `count` inputs, which are there."""
        found = self._cut(count)
        missing = count - len(found[0])
        if not missing:
            return found
        parts = [found]
        while missing:
            parts.append(self._cut(missing))
            missing -= len(parts[-1][0])
        return [[value for column in columns for value in column] for columns in zip(*parts, strict=True)]

    def _cut(self, most: int) -> Columns:
        """From the first block only."""
        columns = self._blocks[0]
        start, stop = self._at, min(self._at + most, len(columns[0]))
        self._at, self._left = stop, self._left - (stop - start)
        if stop == len(columns[0]):
            self._blocks.popleft()
            self._at = 0
            if not start:
                return columns
        return [column[start:stop] for column in columns]

    def clear(self) -> None:
        """Forget what was not taken."""
        self._blocks.clear()
        self._at = self._left = 0
