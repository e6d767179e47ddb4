"""Which arrays of a map are stored once, and how inputs that are the same for all calls travel."""

from functools import partial
from itertools import islice, repeat

import functions as f
import numpy as np
import pytest

from farpool.maps.sharing import SHARED_BYTES, shared
from farpool.shipping.inputs import folded, for_ever, reader_of
from farpool_common.codec import Ref, Repeated
from farpool_common.errors import TooLargeError

BIG = np.zeros(SHARED_BYTES, "u1")
OTHER = BIG.copy()
SMALL = BIG[1:]


class Store:
    """Stands for the server."""

    def __init__(self) -> None:
        self.stored = []

    def put(self, value):
        self.stored.append(value)
        return Ref(f"{len(self.stored):032x}", value.nbytes, lambda _: value)


@pytest.fixture
def store():
    return Store()


def looked_through(store, fn, *iterables, most=4):
    """The map as it would be sent, references as "ref"."""
    fn, columns = shared(fn, iterables, store.put)

    def shown(value):
        if isinstance(value, tuple):
            return tuple(map(shown, value))
        return "ref" if isinstance(value, Ref) else "array" if isinstance(value, np.ndarray) else value

    return fn, [[shown(item) for item in islice(column, most)] for column in columns]


@pytest.mark.parametrize(
    ("column", "sent"),
    [
        (repeat(BIG), ["ref"] * 4),
        (repeat(BIG, 2), ["ref"] * 2),
        (repeat(BIG, 0), []),
        (repeat(SMALL), ["array"] * 4),
        (repeat(7, 3), [7] * 3),
        ([BIG, OTHER, BIG], ["ref", "array", "ref"]),
        ((BIG, BIG), ["ref", "ref"]),
        ([BIG, OTHER], ["array", "array"]),
        ([SMALL, SMALL], ["array", "array"]),
        ([(1, BIG), (2, BIG), (3, OTHER)], [(1, "ref"), (2, "ref"), (3, "array")]),
        ([1, 2, 3], [1, 2, 3]),
        (range(3), [0, 1, 2]),
    ],
)
def test_what_more_than_one_call_is_given_is_stored_and_nothing_else(store, column, sent):
    _, columns = looked_through(store, f.square, column)
    assert columns == [sent]
    assert len(store.stored) == (1 if "ref" in str(sent) else 0)


def test_one_array_at_many_places_is_stored_once(store):
    fn, columns = looked_through(store, partial(f.add, BIG, b=BIG), [BIG, BIG], repeat(BIG), [(BIG, 1), (BIG, 2)])
    assert columns == [["ref"] * 2, ["ref"] * 4, [("ref", 1), ("ref", 2)]]
    assert (type(fn.args[0]), type(fn.keywords["b"]), fn.func) == (Ref, Ref, f.add)
    assert len(store.stored) == 1


def test_an_array_that_cannot_be_stored_stays_where_it_is():
    def refuse(value):
        raise TooLargeError("x", value.nbytes, 1, "LIMIT")

    _, columns = shared(f.square, [[BIG, BIG]], refuse)
    assert columns == [[BIG, BIG]]


def test_an_array_of_objects_is_left_to_fail_in_its_call(store):
    objects = np.full(SHARED_BYTES, None)
    _, columns = looked_through(store, f.square, [objects, objects])
    assert (columns, store.stored) == ([["array", "array"]], [])


def test_inputs_that_never_change_end_with_the_others_and_a_range_stays_one():
    constant, counted = reader_of([for_ever("x"), range(3)])(None)
    assert (type(constant), list(constant), counted) == (Repeated, ["x"] * 3, range(3))
    assert list(reader_of([for_ever("x"), iter("ab")])(None)[0]) == ["x", "x"]


@pytest.mark.parametrize("value", [7, "text", None, Ref("a" * 32, 1, str)])
def test_a_column_of_one_unchanging_value_is_folded(value):
    found = folded([value] * 3)
    assert (type(found), list(found)) == (Repeated, [value] * 3)


def test_each_call_has_its_own_of_what_may_change():
    values = [1, 2]
    assert folded(Repeated(values, 3)) == [values] * 3
    column = [values, values]
    assert folded(column) is column
    assert folded([1, 1, 2]) == [1, 1, 2]
    assert folded(range(3)) == range(3)


@pytest.mark.parametrize("chunksize", [1, 3, "auto"])
def test_a_partial_travels_in_pieces(executor, fake, chunksize):
    assert list(executor.map(partial(f.add, 10), range(200), chunksize=chunksize)) == [10 + n for n in range(200)]
    if chunksize == 3:
        assert max(task.calls for task in fake.enqueued) == 3
    assert list(executor.map(partial(f.add, b=10), range(20), chunksize=chunksize)) == [10 + n for n in range(20)]


def test_a_map_over_nothing_but_a_partial_has_no_results(executor):
    assert list(executor.map(partial(f.add, 1, 2))) == []
