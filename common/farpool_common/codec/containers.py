"""Collections of the standard library on the wire, except lists and dicts, which msgpack knows."""

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from operator import eq
from typing import Any

from farpool_common.codec.kinds import Code, Kind, Reading, Writing, malformed
from farpool_common.codec.limits import MAX_EQUAL_HASHES
from farpool_common.errors import DecodeError


def check_hashes(keys: Sequence[Any]) -> None:
    """Refuse keys that were chosen to have the same hash.  Raises DecodeError."""
    if len(keys) <= MAX_EQUAL_HASHES:
        return
    hashes = sorted(map(hash, keys))  # a dict of them would suffer from the same collisions
    if any(map(eq, hashes, hashes[MAX_EQUAL_HASHES:])):
        raise DecodeError(f"more than {MAX_EQUAL_HASHES} keys of one dict or set have the same hash")


def _write_items(value: Iterable[Any], _: Writing) -> list[Any]:
    return list(value)


def _read_tuple(parts: list[Any], _: Reading) -> tuple[Any, ...]:
    return tuple(parts)


def _read_set(parts: list[Any], _: Reading) -> set[Any]:
    check_hashes(parts)
    return set(parts)


def _read_frozenset(parts: list[Any], _: Reading) -> frozenset[Any]:
    check_hashes(parts)
    return frozenset(parts)


def _write_deque(value: deque[Any], _: Writing) -> list[Any]:
    return [value.maxlen, *value]


def _read_deque(parts: list[Any], _: Reading) -> deque[Any]:
    match parts:
        case [(None | int()) as maxlen, *items]:
            return deque(items, maxlen)
    raise malformed("deque")


def _write_mapping(value: dict[Any, Any], _: Writing) -> list[Any]:
    return [dict(value)]


def _read_ordered_dict(parts: list[Any], _: Reading) -> OrderedDict[Any, Any]:
    return OrderedDict(_mapping(parts))


def _read_counter(parts: list[Any], _: Reading) -> Counter[Any]:
    return Counter(_mapping(parts))


def _mapping(parts: list[Any]) -> dict[Any, Any]:
    match parts:
        case [dict(found)]:
            return found
    raise malformed("mapping")


def _write_defaultdict(value: defaultdict[Any, Any], _: Writing) -> list[Any]:
    return [value.default_factory, dict(value)]


def _read_defaultdict(parts: list[Any], _: Reading) -> defaultdict[Any, Any]:
    match parts:
        case [(None | type()) as factory, dict(found)]:
            return defaultdict(factory, found)
    raise malformed("defaultdict")


def _write_range(value: range, _: Writing) -> list[Any]:
    return [value.start, value.stop, value.step]


def _read_range(parts: list[Any], _: Reading) -> range:
    match parts:
        case [int(start), int(stop), int(step)]:
            return range(start, stop, step)
    raise malformed("range")


def _write_slice(value: slice, _: Writing) -> list[Any]:
    return [value.start, value.stop, value.step]


def _read_slice(parts: list[Any], _: Reading) -> slice:
    match parts:
        case [start, stop, step]:
            return slice(start, stop, step)
    raise malformed("slice")


TUPLE = Kind(Code.TUPLE, _write_items, _read_tuple)

KINDS: Mapping[type, Kind] = {
    tuple: TUPLE,
    set: Kind(Code.SET, _write_items, _read_set),
    frozenset: Kind(Code.FROZENSET, _write_items, _read_frozenset),
    deque: Kind(Code.DEQUE, _write_deque, _read_deque),
    OrderedDict: Kind(Code.ORDERED_DICT, _write_mapping, _read_ordered_dict),
    Counter: Kind(Code.COUNTER, _write_mapping, _read_counter),
    defaultdict: Kind(Code.DEFAULTDICT, _write_defaultdict, _read_defaultdict),
    range: Kind(Code.RANGE, _write_range, _read_range),
    slice: Kind(Code.SLICE, _write_slice, _read_slice),
}
