"""The inputs of a map, as one sequence per argument."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

Columns = list[Sequence[Any]]


def all_columns(iterables: Sequence[Iterable[Any]]) -> Columns:
    """Every input, up to the end of the shortest iterable.  A range stays one, and travels as one."""
    if len(iterables) == 1:
        return [_sequence(iterables[0])]
    if all(hasattr(iterable, "__len__") for iterable in iterables):
        count = min(len(iterable) for iterable in iterables)  # type: ignore[arg-type]
        return [_sequence(iterable, count) for iterable in iterables]
    return columns_of(zip(*iterables, strict=False), None, len(iterables))


def columns_of(rows: Iterator[tuple[Any, ...]], count: int | None, width: int) -> Columns:
    """The next `count` rows (None: all), turned."""
    taken = list(islice(rows, count))
    return [[row[index] for row in taken] for index in range(width)]


def _sequence(iterable: Iterable[Any], count: int | None = None) -> Sequence[Any]:
    if isinstance(iterable, range):
        return iterable[:count]
    return list(islice(iterable, count))


class Inputs:
    """Columns of which pieces are taken from the front while more may be added at the back."""

    def __init__(self, columns: Columns) -> None:
        self._columns, self._at = columns, 0

    def __len__(self) -> int:
        """Inputs that were not taken."""
        return len(self._columns[0]) - self._at if self._columns else 0

    def take(self, count: int) -> Columns:
        """The next `count` inputs."""
        start, self._at = self._at, self._at + count
        return [column[start : self._at] for column in self._columns]

    def extend(self, columns: Columns) -> None:
        """Add inputs; what was taken is forgotten, so endless inputs take no more room than a buffer."""
        pairs = zip(self._columns, columns, strict=True)
        self._columns = [[*old[self._at :], *new] for old, new in pairs]
        self._at = 0

    def clear(self) -> None:
        """Forget what was not taken."""
        self._columns, self._at = [[] for _ in self._columns], 0
