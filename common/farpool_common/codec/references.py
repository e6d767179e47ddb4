"""What stands for a value on the wire: a reference to one that is stored, and one value many times."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Generic, NoReturn, TypeVar, overload

from farpool_common.codec.kinds import Code, Kind, Reading, Writing, malformed
from farpool_common.errors import DecodeError

T = TypeVar("T")


class Ref(Generic[T]):
    """Stands for a value that `farpool.put` has stored: as an argument, alone or inside others, it arrives as
    the value itself.  The value stays stored as long as this object lives, and calls that were given it."""

    __slots__ = ("__weakref__", "_get", "id", "nbytes")

    def __init__(self, object_id: str, nbytes: int, get: "Callable[[Ref[T]], T]") -> None:
        self.id, self.nbytes, self._get = object_id, nbytes, get

    def get(self) -> T:
        """A copy of the value.  Raises ObjectExpiredError when it is gone, and what an outage raises."""
        return self._get(self)

    def __repr__(self) -> str:
        return f"<farpool.Ref {self.id[:8]}, {self.nbytes:,} bytes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a farpool.Ref travels as an argument of calls only, for the process that made it keeps its value alive"
        )


class Repeated(Sequence[T]):
    """`value`, `times` times.  Takes no room, however often."""

    __slots__ = ("times", "value")

    def __init__(self, value: T, times: int) -> None:
        self.value, self.times = value, times

    def __len__(self) -> int:
        return self.times

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "Repeated[T]": ...
    def __getitem__(self, index: int | slice) -> "T | Repeated[T]":
        if isinstance(index, slice):
            return Repeated(self.value, len(range(*index.indices(self.times))))
        range(self.times)[index]  # raises IndexError
        return self.value

    def __iter__(self) -> Iterator[T]:
        return repeat(self.value, self.times)


def _write_ref(value: Ref[Any], writing: Writing) -> list[Any]:
    writing.refs[value.id] = value
    return [value.id]


def _read_ref(parts: list[Any], reading: Reading) -> Any:
    match parts:
        case [str(object_id)] if reading.objects is not None:
            return reading.objects(object_id)
        case [str()]:
            raise DecodeError("a reference to a stored object stands where none can be followed")
    raise malformed("reference")


def _write_repeated(value: Repeated[Any], _: Writing) -> list[Any]:
    return [value.times, value.value]


def _read_repeated(parts: list[Any], _: Reading) -> Repeated[Any]:
    match parts:
        case [int(times), value] if 0 <= times < 2**31:
            return Repeated(value, times)
    raise malformed("repeated value")


KINDS: Mapping[type, Kind] = {
    Ref: Kind(Code.REF, _write_ref, _read_ref),
    Repeated: Kind(Code.REPEATED, _write_repeated, _read_repeated),
}
