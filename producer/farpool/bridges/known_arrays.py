"""Large arrays that many of joblib's calls are given: each is stored once and travels as a reference."""

import pickle
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from farpool.maps.sharing import is_large
from farpool_common.codec import Ref, is_known
from farpool_common.errors import EncodeError, TooLargeError
from farpool_common.sealing import Sealer

PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None)})
"""Types of values that hold no arrays."""

MOST_LEVELS = 20
"""Containers within containers that are looked into (guess)."""


class KnownArrays:
    """The large arrays of one `Parallel` call, wherever in its arguments they are: in lists, tuples and dicts; and,
    with a `seal`, in whatever can be pickled.

    As with joblib's memory maps, all of them arrive read-only, and an array is known by its identity: do not change
    it while calls are made.  `most_bytes` is joblib's `max_nbytes`: smaller ones travel with each call; None: all do.
    """

    def __init__(self, put: Callable[[Any], Ref[Any]], most_bytes: int | None, seal: Sealer | None = None) -> None:
        self._put, self._most_bytes, self._seal = put, most_bytes, seal
        self._refs: dict[tuple[int, bool], tuple[weakref.ref[Any], Ref[Any]]] = {}

    def stored(self, value: Any, level: int = 0) -> Any:
        """The same value, with references in place of large arrays."""
        found = type(value)
        if found is tuple and PLAIN.issuperset(map(type, value)):  # nearly all, and the fewer steps the better
            return value
        if self._most_bytes is None or found in PLAIN or found is Ref or level > MOST_LEVELS:
            return value
        if found in (list, tuple):
            return self._sequence(value, level)
        if found is dict:
            values = self._sequence(list(value.values()), level)
            return dict(zip(value, values, strict=True))
        if is_large(value):
            return self._ref(value, is_raw=False)
        return value if self._seal is None or is_known(value) else self._sealed(value, self._seal)

    def forget(self) -> None:
        """No call will be given any of them again."""
        self._refs.clear()

    def _sequence(self, items: Sequence[Any], level: int) -> Sequence[Any]:
        if PLAIN.issuperset(map(type, items)):
            return items
        return type(items)([self.stored(item, level + 1) for item in items])  # type: ignore[call-arg]

    def _sealed(self, value: Any, seal: Sealer) -> Any:
        try:
            return seal.sealed(value, partial(self._ref, is_raw=True))
        except EncodeError:
            return value  # its call tells why

    def _ref(self, array: Any, *, is_raw: bool) -> Any:
        """A reference to an array, or to its bytes as pickle has them; the array itself where that cannot be."""
        if self._most_bytes is None or not is_large(array) or array.nbytes < self._most_bytes:
            return array
        name = id(array), is_raw
        known, ref = self._refs.get(name, (None, None))
        if known is not None and known() is array:
            return ref
        try:
            ref = self._put(_bytes_of(array) if is_raw else array)
        except (EncodeError, TooLargeError):
            return array  # its calls tell why
        self._refs[name] = weakref.ref(array, partial(_forgotten, self._refs, name)), ref
        return ref


def _bytes_of(array: Any) -> Any:
    import numpy as np  # where there are arrays it is loaded

    return np.frombuffer(pickle.PickleBuffer(array).raw(), np.uint8)


def _forgotten(refs: dict[tuple[int, bool], Any], name: tuple[int, bool], _: object) -> None:
    """An array is gone: nobody can give it again, and calls that were given it keep it stored themselves."""
    refs.pop(name, None)
