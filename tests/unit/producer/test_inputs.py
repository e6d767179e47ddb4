"""What a map reads, and what of it stays a column."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from farpool.shipping.inputs import Inputs, reader_of

UNITS = np.array(["2001-01-01", "2002-02-02"], "datetime64[D]")


@pytest.mark.parametrize(
    "iterable",
    [
        [1, "b", None],
        (1, 2, 3),
        "text",
        b"bytes",
        range(5, 50, 7),
        {"a": 1, "b": 2},
        np.arange(5.0),
        np.arange(5, dtype=">i2"),
        np.arange(6).reshape(3, 2),
        np.array([1, "x", None], object),
        UNITS,
        np.array([(1, 2.0), (3, 4.0)], "i4,f8"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("together", [None, 2])
def test_a_column_gives_what_the_iterable_gives(iterable: Any, together: int | None) -> None:
    read, found = reader_of([iterable]), []
    while len((columns := read(together))[0]):
        found += list(columns[0])
    assert [type(value) for value in found] == [type(value) for value in iterable]
    for value, expected in zip(found, iterable, strict=True):
        assert_array_equal(value, expected)


def test_ranges_and_arrays_stay_what_they_are() -> None:
    (numbers, values) = reader_of([range(1_000_000), np.zeros(1_000_000)])(10)
    assert numbers == range(10)
    assert type(values) is np.ndarray


def test_several_iterables_end_with_the_shortest_and_are_read_in_turn() -> None:
    numbers = iter(range(7))
    pairs = reader_of([numbers, numbers])  # as zip has it: pairs of neighbours
    assert [list(column) for column in pairs(2)] == [[0, 2], [1, 3]]
    assert [list(column) for column in pairs(2)] == [[4], [5]]
    assert [list(column) for column in pairs(2)] == [[], []]
    assert reader_of([range(5), "abc"])(None) == [range(3), ["a", "b", "c"]]


def test_no_more_is_read_than_asked_for() -> None:
    numbers = count()
    read = reader_of([numbers])
    read(3)
    assert next(numbers) == 3


def test_an_array_that_changes_after_the_call_changes_nothing() -> None:
    array = np.arange(3.0)
    (column,) = reader_of([array])(None)
    array[:] = -1
    assert list(column) == [0, 1, 2]


def test_an_array_in_a_file_is_read_piece_by_piece(tmp_path: Path) -> None:
    array = np.memmap(tmp_path / "numbers", "f8", "w+", shape=10)
    array[:] = np.arange(10.0)
    (column,) = reader_of([array])(None)
    assert type(column) is np.memmap
    assert [type(value) for value in column] == [np.float64] * 10
    assert list(column) == list(range(10))


def test_arrays_without_dimensions_cannot_be_iterated_over() -> None:
    with pytest.raises(TypeError, match="0-d array"):
        reader_of([np.array(5)])


def test_what_was_taken_is_forgotten() -> None:
    inputs = Inputs()
    for block in ([1, 2, 3], [4], [5, 6, 7, 8]):
        inputs.add([block, [str(value) for value in block]])
    assert len(inputs) == 8
    assert inputs.take(2) == [[1, 2], ["1", "2"]]
    assert inputs.take(4) == [[3, 4, 5, 6], ["3", "4", "5", "6"]]
    assert inputs.take(1) == [[7], ["7"]]
    assert len(inputs) == 1


def test_a_reader_raises_what_the_inputs_raise() -> None:
    def inputs() -> Iterator[int]:
        yield 1
        raise OSError("the file ends here")

    with pytest.raises(OSError, match="ends here"):
        reader_of([inputs()])(None)
