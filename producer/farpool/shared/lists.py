"""Lists over many hosts, as a manager makes them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self, TypeVar

from farpool.shared.handle import Shared
from farpool.shared.wire import packed, unpacked

T = TypeVar("T")


class List(Shared):
    """A `list` over hosts.  Each method is atomic; items are copies, so a change within one must be assigned again.

    Appending, popping at an end, and one item cost one step.  What moves other items (insert, sort, slices) reads the
    whole list and writes it again, anew whenever somebody has changed it meanwhile.  `first` is what it holds at
    first, unless one of that `name` exists.
    """

    kind = "list"
    others = ("items",)

    def __init__(self, first: Iterable[Any] = (), /, *, name: str | None = None, url: str | None = None) -> None:
        found = self._make(name, url)
        if b"version" not in found:
            self.extend(first)

    def __len__(self) -> int:
        return int(self._run("list_read", 0)[1])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._getvalue()[index]
        answer = self._run("list_read", _index(index))
        if answer[0] == b"range":
            raise IndexError("list index out of range")
        return unpacked(answer[2])

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            new = list(value)
            self._change(lambda items: items.__setitem__(index, new))
        elif self._run("list_change", "set", _index(index), packed(value))[0] == b"range":
            raise IndexError("list assignment index out of range")

    def __delitem__(self, index: Any) -> None:
        self._change(lambda items: items.__delitem__(index))

    def __iter__(self) -> Iterator[Any]:
        """Of its items at one moment."""
        return iter(self._getvalue())

    def __reversed__(self) -> Iterator[Any]:
        return iter(self._getvalue()[::-1])

    def __contains__(self, value: object) -> bool:
        return value in self._getvalue()

    def __add__(self, other: list[Any]) -> list[Any]:
        return self._getvalue() + list(other)

    def __mul__(self, times: int) -> list[Any]:
        return self._getvalue() * times

    __rmul__ = __mul__

    def __iadd__(self, other: Iterable[Any]) -> Self:
        self.extend(other)
        return self

    def __imul__(self, times: int) -> Self:
        self._change(lambda items: items.__imul__(times))
        return self

    def append(self, value: Any) -> None:
        """Add an item at the end."""
        self._run("list_push", packed(value))

    def extend(self, values: Iterable[Any]) -> None:
        """Add many items at the end, in one step."""
        added = [packed(value) for value in values]
        if added:
            self._run("list_push", *added)

    def insert(self, index: int, value: Any) -> None:
        """Add an item before another."""
        self._change(lambda items: items.insert(index, value))

    def pop(self, index: int = -1) -> Any:
        """Remove an item and return it.  Raises IndexError."""
        if index in (-1, 0):
            answer = self._run("list_change", "first" if index == 0 else "last")
            if answer[0] == b"range":
                raise IndexError("pop from empty list")
            return unpacked(answer[1])
        return self._change(lambda items: items.pop(index))

    def remove(self, value: Any) -> None:
        """Remove the first item that is equal.  Raises ValueError."""
        self._change(lambda items: items.remove(value))

    def reverse(self) -> None:
        """Turn it round."""
        self._change(lambda items: items.reverse())

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        """Sort it; `key` is called here."""
        self._change(lambda items: items.sort(key=key, reverse=reverse))

    def clear(self) -> None:
        """Remove all items."""
        self._run("clear")

    def index(self, value: Any, *bounds: int) -> int:
        """The place of the first item that is equal.  Raises ValueError."""
        return self._getvalue().index(value, *bounds)

    def count(self, value: Any) -> int:
        """How many items are equal."""
        return self._getvalue().count(value)

    def copy(self) -> list[Any]:
        """A plain list of what it holds at one moment."""
        return self._getvalue()

    def _getvalue(self) -> list[Any]:
        return self._read()[1]

    def __str__(self) -> str:
        return str(self._getvalue())

    def _read(self) -> tuple[int, list[Any]]:
        """The version of the list, and its items."""
        record, broker = self._parts.record, self._link.broker
        command = ("LRANGE", self._parts.others[0], 0, -1)
        (life, version), (items,) = self._link.patiently(lambda: broker.all_of(record, command))
        if life is None:
            raise self._gone()
        return int(version or 0), [unpacked(item) for item in items]

    def _change(self, change: Callable[[list[Any]], T]) -> T:
        """Change the items as a plain list, as often as somebody else comes first."""
        while True:
            version, items = self._read()
            result = change(items)
            if self._run("list_replace", version, *(packed(item) for item in items))[0] == b"ok":
                return result


def _index(index: Any) -> int:
    if not hasattr(index, "__index__"):
        raise TypeError(f"list indices must be integers or slices, not {type(index).__name__}")
    found: int = index.__index__()
    return found
