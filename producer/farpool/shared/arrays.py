"""Arrays of C types over many hosts: `multiprocessing.Array`."""

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

from farpool.shared.locks import LockLike
from farpool.shared.values import Locked, c_type, code_of


class Array(Locked):
    """`multiprocessing.Array` over hosts: of fixed length, its elements converted as ctypes does.

    Reading and writing one element or one slice is atomic.  Each access asks the server: take slices where you can.
    An array of that `name` which exists keeps its content, and must have the same length and type.
    """

    kind = "array"
    others = ("bytes",)

    def __init__(
        self,
        typecode_or_type: Any,
        size_or_initializer: int | Sequence[Any],
        *,
        lock: LockLike | bool = True,
        name: str | None = None,
        url: str | None = None,
    ) -> None:
        self._code = code_of(typecode_or_type)
        first = _first(c_type(self._code), size_or_initializer)
        self._length = len(first)
        shape = {"code": self._code, "length": self._length}
        found = self._make(name, url, shape, ("bytes", bytes(first)))
        if (found[b"code"].decode(), int(found[b"length"])) != (self._code, self._length):
            raise TypeError(f"{self!r} exists with type code {found[b'code'].decode()!r} and another length or type")
        self._make_lock(lock, name, url)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._read_slice(range(self._length)[index])
        return self._read(self._place(index), 1)[0]

    def __setitem__(self, index: int | slice, value: Any) -> None:
        if not isinstance(index, slice):
            self._run("array_write", self._place(index) * self._size, bytes(self._typed([value])))
            return
        places, values = range(self._length)[index], list(value)
        if len(places) != len(values):
            raise ValueError("Can only assign sequence of same size")
        if not places:
            return
        if places.step == 1:
            self._run("array_write", places.start * self._size, bytes(self._typed(values)))
        else:
            self._run("array_write", *self._runs(places, values))

    def __iter__(self) -> Iterator[Any]:
        """Of its elements at one moment."""
        return iter(self[:])

    @property
    def raw(self) -> bytes:
        """All bytes of an array of type code "c"."""
        self._check_text("raw")
        return self._bytes(0, self._length)

    @property
    def value(self) -> bytes:
        """The bytes before the first zero, of an array of type code "c"."""
        self._check_text("value")
        return self._bytes(0, self._length).partition(b"\0")[0]

    @value.setter
    def value(self, new: bytes) -> None:
        self._check_text("value")
        if len(new) > self._length:
            raise ValueError("byte string too long")
        self._run("array_write", 0, new if len(new) == self._length else new + b"\0")

    @property
    def _size(self) -> int:
        """Bytes of an element."""
        return ctypes.sizeof(c_type(self._code))

    def _place(self, index: int) -> int:
        found = index + self._length if index < 0 else index
        if not 0 <= found < self._length:
            raise IndexError("invalid index")
        return found

    def _read_slice(self, places: range) -> Any:
        if not places:
            return b"" if self._code == "c" else "" if self._code == "u" else []
        first, last = min(places[0], places[-1]), max(places[0], places[-1])
        return self._read(first, last - first + 1)[:][:: places.step]

    def _read(self, first: int, count: int) -> Any:
        """Some elements, as ctypes has them."""
        return (c_type(self._code) * count).from_buffer_copy(self._bytes(first, count))

    def _bytes(self, first: int, count: int) -> bytes:
        found: bytes = self._run("array_read", first * self._size, (first + count) * self._size - 1)[1]
        return found

    def _typed(self, values: Sequence[Any]) -> Any:
        return (c_type(self._code) * len(values))(*values)

    def _runs(self, places: range, values: list[Any]) -> Iterator[Any]:
        """Offset and bytes of elements that do not lie side by side."""
        data = bytes(self._typed(values))
        for number, place in enumerate(places):
            yield from (place * self._size, data[number * self._size : (number + 1) * self._size])

    def _check_text(self, what: str) -> None:
        if self._code != "c":
            raise AttributeError(f"an array of type code {self._code!r} has no {what}")

    def _details(self) -> list[Any]:
        return [self._code, self._length, self._lock]

    def _restore(self, details: Sequence[Any]) -> None:
        self._code, self._length, lock = details
        c_type(self._code)
        if not isinstance(self._length, int) or self._length < 0:
            raise TypeError("length")
        self._restore_lock(lock)


def _first(element: Any, size_or_initializer: int | Sequence[Any]) -> Any:
    if isinstance(size_or_initializer, int):
        return (element * size_or_initializer)()
    values = list(size_or_initializer)
    return (element * len(values))(*values)
