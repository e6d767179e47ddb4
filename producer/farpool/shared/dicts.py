"""Dictionaries over many hosts, as a manager makes them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from farpool.shared.handle import Shared
from farpool.shared.wire import packed, unpacked

_MISSING = object()


class Items(Shared):
    """Keys in the order in which they came, each with a value; keys are bytes here."""

    others = ("items", "order")

    def _read(self, key: bytes) -> Any:
        """The value of a key; `_MISSING` when there is none."""
        answer = self._run("dict_read", key)
        return unpacked(answer[2]) if answer[0] == b"ok" else _MISSING

    def _all(self) -> list[tuple[bytes, bytes]]:
        """All keys with their values, at one moment."""
        items, order = self._parts.others
        record, broker = self._parts.record, self._link.broker
        commands = (("ZRANGE", order, 0, -1), ("HGETALL", items))
        (life, _), (keys, values) = self._link.patiently(lambda: broker.all_of(record, *commands))
        if life is None:
            raise self._gone()
        return [(key, values[key]) for key in keys]

    def _take(self, key: bytes) -> Any:
        """Remove a key and return its value; `_MISSING` when there is none."""
        answer = self._run("dict_take", "key", key)
        return unpacked(answer[2]) if answer[0] == b"ok" else _MISSING


class Dict(Items):
    """A `dict` over hosts.  Each method is atomic; values are copies, so a change within one must be assigned again.

    `keys`, `values` and `items` are lists, as with a manager of multiprocessing.  Of equal keys (1, 1.0, True) the
    integer is kept.  `first` is what it holds at first, unless one of that `name` exists.
    """

    kind = "dict"

    def __init__(self, first: Any = (), /, *, name: str | None = None, url: str | None = None, **more: Any) -> None:
        if b"place" not in self._make(name, url):
            self.update(first, **more)

    def __getitem__(self, key: Any) -> Any:
        value = self._read(_key(key))
        if value is _MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        self._run("dict_write", "set", _key(key), packed(value))

    def __delitem__(self, key: Any) -> None:
        self.pop(key)

    def __contains__(self, key: object) -> bool:
        return bool(self._run("dict_read", _key(key))[0] == b"ok")

    def __len__(self) -> int:
        return int(self._run("dict_read", "")[1])

    def __iter__(self) -> Iterator[Any]:
        """Of its keys at one moment."""
        return iter(self.keys())

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key, or `default`."""
        value = self._read(_key(key))
        return default if value is _MISSING else value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The value of a key, which becomes `default` if there is none."""
        answer = self._run("dict_write", "default", _key(key), packed(default))
        return unpacked(answer[1]) if answer[0] == b"kept" else default

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        """Remove a key and return its value, or `default`.  Raises KeyError without one."""
        value = self._take(_key(key))
        if value is not _MISSING:
            return value
        if default is _MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[Any, Any]:
        """Remove the key that came last, and return it with its value.  Raises KeyError."""
        answer = self._run("dict_take", "last", "")
        if answer[0] != b"ok":
            raise KeyError("popitem(): dictionary is empty")
        return unpacked(answer[1]), unpacked(answer[2])

    def update(self, other: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), /, **more: Any) -> None:
        """Set many items in one step."""
        pairs = {_key(key): packed(value) for key, value in dict(other, **more).items()}
        if pairs:
            self._run("dict_write", "set", *(part for pair in pairs.items() for part in pair))

    def clear(self) -> None:
        """Remove all items."""
        self._run("clear")

    def keys(self) -> list[Any]:
        """All keys at one moment."""
        return [unpacked(key) for key, _ in self._all()]

    def values(self) -> list[Any]:
        """All values at one moment."""
        return [unpacked(value) for _, value in self._all()]

    def items(self) -> list[tuple[Any, Any]]:
        """All keys with their values, at one moment."""
        return [(unpacked(key), unpacked(value)) for key, value in self._all()]

    def copy(self) -> dict[Any, Any]:
        """A plain dict of what it holds at one moment."""
        return dict(self.items())

    def _getvalue(self) -> dict[Any, Any]:
        return self.copy()

    def __str__(self) -> str:
        return str(self.copy())


def _key(key: Any) -> bytes:
    """The same bytes for keys that are equal.  Raises TypeError for what cannot be a key, or cannot travel."""
    hash(key)
    return packed(_canonical(key))


def _canonical(key: Any) -> Any:
    if type(key) is tuple:
        return tuple(map(_canonical, key))
    if type(key) is frozenset:
        return frozenset(sorted(map(_canonical, key), key=packed))
    if isinstance(key, (bool, float, complex)):
        return _as_integer(key)
    return key


def _as_integer(number: bool | float | complex) -> Any:
    if isinstance(number, complex):
        return _as_integer(number.real) if number.imag == 0 else number
    return int(number) if number == number and abs(number) != float("inf") and number == int(number) else number
