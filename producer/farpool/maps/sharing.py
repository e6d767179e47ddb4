"""Large arrays that many calls of one map are given: found by identity, stored once.

All inputs of a map are read in one go, so an array that is met twice is the same in both places, and is what
the user meant at that moment.  Submitted calls come one by one, and their arrays may change between: each has
its own, unless the user says `put`.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from operator import length_hint
from typing import Any

from farpool.shipping.inputs import for_ever
from farpool_common.codec import Ref, Repeated
from farpool_common.errors import EncodeError, TooLargeError

SHARED_BYTES = 1024 * 1024
"""Smaller arrays travel with each call: to store one costs as much as sending it a few times (guess)."""

Put = Callable[[Any], Ref[Any]]


def shared(
    fn: Callable[..., Any], iterables: Sequence[Iterable[Any]], put: Put
) -> tuple[Callable[..., Any], list[Iterable[Any]]]:
    """The same map, with references in place of large arrays that more than one call is given.

    Looked at are a partial's arguments, `itertools.repeat`, and lists and tuples with their tuples.
    """
    if "numpy" not in sys.modules:
        return fn, list(iterables)
    storing = _Storing(put)
    if isinstance(fn, partial):
        keywords = {name: storing.stored(value) for name, value in fn.keywords.items()}
        fn = partial(fn.func, *map(storing.stored, fn.args), **keywords)
    columns = [_constant(each, storing) if type(each) is repeat else each for each in iterables]
    looked_at = [column for column in columns if type(column) in (list, tuple) and _may_hold_arrays(column)]
    often = _often(chain.from_iterable(looked_at))
    if not often:
        return fn, columns
    return fn, [
        storing.replaced(column, often) if any(column is c for c in looked_at) else column for column in columns
    ]


class _Storing:
    """Stores each array once; one that cannot be stored stays where it is, and its calls tell why."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._known: dict[int, Any] = {}

    def stored(self, value: Any) -> Any:
        """A reference in place of a large array; anything else as it is."""
        if not is_large(value):
            return value
        if id(value) not in self._known:
            try:
                self._known[id(value)] = self._put(value)
            except (EncodeError, TooLargeError):
                self._known[id(value)] = value
        return self._known[id(value)]

    def replaced(self, items: Iterable[Any], often: set[int]) -> list[Any]:
        """Items, and the elements of tuples among them, with references in place of these arrays."""

        def one(item: Any) -> Any:
            if id(item) in often:
                return self.stored(item)
            if type(item) is tuple and any(id(element) in often for element in item):
                return tuple(self.stored(element) if id(element) in often else element for element in item)
            return item

        return [one(item) for item in items]


def is_large(value: Any) -> bool:
    """Whether a value is an array that is worth storing."""
    numpy = sys.modules.get("numpy")
    return (
        numpy is not None
        and type(value) in (numpy.ndarray, numpy.memmap)
        and value.nbytes >= SHARED_BYTES
        and not value.dtype.hasobject
    )


def _constant(column: "repeat[Any]", storing: _Storing) -> Iterable[Any]:
    """The same repeated value, stored if it is large."""
    count = length_hint(column, -1)  # -1: for ever
    if count == 0:
        return column
    value = storing.stored(next(column))
    return for_ever(value) if count < 0 else Repeated(value, count)


def _may_hold_arrays(column: Any) -> bool:
    return not _PLAIN.issuperset(set(map(type, column)))


_PLAIN = {int, float, complex, str, bytes, bool, type(None), dict, list, set}


def _often(items: Iterable[Any]) -> set[int]:
    """Ids of large arrays that occur more than once."""
    found = Counter(id(value) for value in _arrays(items))
    return {number for number, count in found.items() if count > 1}


def _arrays(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        if type(item) is tuple:
            yield from filter(is_large, item)
        elif is_large(item):
            yield item
