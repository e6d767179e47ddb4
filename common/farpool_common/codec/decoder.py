"""An envelope and buffers become a value again, whoever wrote them.

Nothing is imported, and nothing is unpickled but what a `seal` finds signed.  msgpack's C code bounds nesting and
lengths; the hooks here count containers and build the types that msgpack does not know.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgpack import unpackb

from farpool_common.codec.containers import TUPLE, check_hashes
from farpool_common.codec.kinds import Code, Kind, Reading, Seal
from farpool_common.codec.limits import DEFAULT, Limits
from farpool_common.codec.registry import BY_CODE
from farpool_common.codec.scalars import read_long_int
from farpool_common.errors import DecodeError, FarpoolError
from farpool_common.names import loaded_class

Envelope = bytes | bytearray | memoryview


def decode(
    envelope: Envelope,
    buffers: Sequence[memoryview] = (),
    *,
    classes: Callable[[str], type] | None = None,
    objects: Callable[[str], Any] | None = None,
    is_shared: bool = False,
    seal: Seal | None = None,
    limits: Limits = DEFAULT,
) -> Any:
    """The value that `encode` wrote.

    Arrays are writable; those in writable buffers use them without a copy.  With `is_shared` they are
    read-only, and use read-only buffers without a copy as well.  `classes` finds a class by its name
    `module:qualname`; without it only classes that are already imported are found.  `objects` finds what
    references stand for, `seal` opens what was pickled and signed; without it nothing is unpickled.  Raises
    DecodeError, or what FarpoolError `classes`, `objects` or `seal` raises.
    """
    if len(envelope) > limits.max_bytes:
        raise DecodeError(f"{len(envelope):,} bytes in one message; the limit is {limits.max_bytes:,}")
    try:
        reading = Reading(buffers, classes or loaded_class, objects, is_shared=is_shared, seal=seal)
        return _unpack(envelope, reading, limits)
    except FarpoolError:
        raise
    except MemoryError:
        raise DecodeError("the value does not fit into memory") from None
    except Exception as error:
        raise DecodeError(f"the bytes are no value: {_described(error)}") from error


class _TaggedError(Exception):
    """What msgpack met is no plain value."""


def _unpack(envelope: Envelope, reading: Reading, limits: Limits) -> Any:
    """First without hooks, then with the keys that nearly all dicts have, and if that fails, with any."""
    try:
        if len(envelope) <= limits.max_containers:  # so there cannot be more of them
            # A mark is met early as a rule; to search for one takes as long as to unpack numbers.
            with suppress(_TaggedError):
                return unpackb(envelope, ext_hook=_plain_extension, timestamp=3, unicode_errors="surrogatepass")
        return _unpack_tagged(envelope, reading, limits, any_key=False)
    except DecodeError:
        raise
    except ValueError:
        return _unpack_tagged(envelope, reading, limits, any_key=True)


def _plain_extension(code: int, data: bytes) -> int:
    """An integer.  Raises _TaggedError for a mark, and DecodeError for anything else."""
    if not data and code in BY_CODE:
        raise _TaggedError
    return _extension(code, data)


def _extension(code: int, data: bytes) -> int:
    """The content of an extension that is no mark.  Raises DecodeError."""
    if code == Code.INT and data:
        return read_long_int(data)
    raise DecodeError(f"extension {code} of {len(data):,} bytes is not farpool's")


def _unpack_tagged(envelope: Envelope, reading: Reading, limits: Limits, *, any_key: bool) -> Any:
    building = _Building(reading, limits.max_containers)
    if any_key:
        keys = {"strict_map_key": False, "object_pairs_hook": building.on_pairs}
    else:
        # Keys are str or bytes, whose hashes nobody can foretell, so msgpack may build the dicts.
        counted = len(envelope) > limits.max_containers  # else there are bytes for fewer
        keys = {"strict_map_key": True, "object_hook": building.on_dict if counted else None}
    value = unpackb(
        envelope,
        list_hook=building.on_list,
        ext_hook=building.on_extension,
        timestamp=3,
        unicode_errors="surrogatepass",
        **keys,
    )
    if building.marks:
        raise DecodeError("the mark of a tagged array stands somewhere else")
    return value


class _Building:
    """Callbacks of one pass over an envelope."""

    __slots__ = ("left", "marks", "most", "reading")

    def __init__(self, reading: Reading, max_containers: int) -> None:
        self.reading = reading
        self.most = self.left = max_containers
        self.marks = 0  # met, and not yet the first element of a list

    def on_extension(self, code: int, data: bytes) -> Kind | int:
        kind = BY_CODE.get(code)
        if kind is None or data:
            return _extension(code, data)
        self.marks += 1
        return kind

    def on_list(self, items: list[Any]) -> Any:
        self.left -= 1  # `_count`, without the call: this is where decoding spends its time
        if self.left < 0:
            raise self._too_many()
        if not items or type(items[0]) is not Kind:
            return items
        self.marks -= 1
        kind = items[0]
        if kind is TUPLE:  # by far the most frequent
            return tuple(items)[1:]
        return kind.read(items[1:], self.reading)

    def on_dict(self, found: dict[Any, Any]) -> dict[Any, Any]:
        self._count()
        return found

    def on_pairs(self, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        self._count()
        check_hashes([key for key, _ in pairs])
        return dict(pairs)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self._too_many()

    def _too_many(self) -> DecodeError:
        return DecodeError(f"more than {self.most:,} lists, dicts and other objects")


def _described(error: Exception) -> str:
    """An error's text, short and on one line: it may quote the wire."""
    try:
        text = str(error)
    except Exception:  # of a class that the resolver found
        text = ""
    return f"{type(error).__name__} {text[:200]!r}"
