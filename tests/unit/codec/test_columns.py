"""Columns of NumPy numbers: of one type, and as short as their bytes."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from farpool_common.chunk import MAX_CALLS, Chunk, Outcome, decode_chunk, decode_outcome, encode_chunk, encode_outcome
from farpool_common.codec import encode
from farpool_common.errors import DecodeError

COUNT = 1000


def chunk_there_and_back(column: Any) -> Any:
    (found,) = decode_chunk(*_wire(encode_chunk(Chunk("m:f", columns=[column])))).columns or ()
    return found


def values_there_and_back(values: list[Any]) -> Any:
    return decode_outcome(*_wire(encode_outcome(Outcome(0, values, {}, 0.5, 7)))).values


def _wire(encoded: Any) -> tuple[bytes, list[memoryview]]:
    return encoded.envelope, [memoryview(bytearray(buffer)) for buffer in encoded.buffers]


@pytest.mark.parametrize("code", "?bhilqBHILQefdFD")
def test_numbers_of_one_type_arrive_as_they_were(code: str) -> None:
    array = np.arange(COUNT).astype(code)
    for column in (array, list(array)):
        found = list(chunk_there_and_back(column))
        assert {value.dtype for value in found} == {array.dtype}
        assert found == list(array)
    assert values_there_and_back(list(array)) == list(array)


def test_numbers_of_one_type_take_no_more_room_than_their_bytes() -> None:
    values = list(np.arange(COUNT, dtype="f4"))
    assert encode_chunk(Chunk("m:f", columns=[values])).nbytes < 4 * COUNT + 100
    assert encode_outcome(Outcome(0, values, {}, 0.5, 7)).nbytes < 4 * COUNT + 100


@pytest.mark.parametrize(
    "values",
    [
        [np.float64(1), *[np.float32(2)] * 20],
        [np.float64(1), *[2.0] * 20],
        [np.float64(1), *[None] * 20],
        [True, 0, 1.0, *[1] * 20],
        [np.str_("a")] * 20,
        [np.datetime64("2001-01-01")] * 20,
        [np.array([1.0])] * 20,
        [{"numbers": "<f8", "bytes": b""}] * 20,
    ],
    ids=repr,
)
def test_other_values_keep_their_types(values: list[Any]) -> None:
    for found in (list(chunk_there_and_back(values)), values_there_and_back(values)):
        assert [type(value) for value in found] == [type(value) for value in values]
        assert_array_equal(found, values)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(COUNT).reshape(-1, 2),
        np.arange(COUNT, dtype=">i4"),
        np.arange(COUNT).astype("datetime64[s]"),
        np.zeros(COUNT, "i4,f8"),
        np.array(["text"] * COUNT),
        np.arange(20_000.0).reshape(-1, 2),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_any_array_may_be_a_column(array: Any) -> None:
    found = list(chunk_there_and_back(array))
    assert [type(value) for value in found] == [type(value) for value in array]
    assert_array_equal(np.array(found), np.array(list(array)))


@pytest.mark.parametrize(
    "column",
    [
        {},
        {"numbers": "<f8"},
        {"numbers": "<f8", "bytes": b"1234567"},
        {"numbers": "<f8", "bytes": b"12345678", "more": 1},
        {"numbers": "O", "bytes": b"12345678"},
        {"numbers": "(1000,1000)f8", "bytes": b"12345678"},
        {"numbers": "|S0", "bytes": b""},
        {"numbers": "|u1", "bytes": b"1" * (MAX_CALLS + 1)},
        {"numbers": 5, "bytes": b"12345678"},
        {"numbers": "<f8", "bytes": 10**18},
        np.array(5),
        7,
        "text",
    ],
    ids=lambda column: repr(column)[:60],
)
def test_what_is_no_column_is_refused(column: Any) -> None:
    chunk = encode([1, "m:f", None, [column], [], None, None, True])
    with pytest.raises(DecodeError):
        decode_chunk(*_wire(chunk))
    outcome = encode([1, 0, column, [], 0.5, 7])
    with pytest.raises(DecodeError):
        decode_outcome(*_wire(outcome))
