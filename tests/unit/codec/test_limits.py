"""Few bytes from a stranger never make much memory, much time, or anything but a DecodeError."""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgpack import ExtType, packb

from farpool_common.codec import Limits, decode, encode
from farpool_common.codec.kinds import Code
from farpool_common.errors import DecodeError

MB = 1_000_000


def tagged(code: int, *parts: Any) -> bytes:
    """An envelope with one tagged array, written by hand."""
    return bytes(packb([ExtType(int(code), b""), *parts], use_bin_type=True))


def array(dtype: Any, shape: list[Any], data: Any = b"", fortran: Any = False) -> bytes:
    return tagged(Code.ARRAY, dtype, fortran, data, *shape)


def peak_memory(work: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(data: bytes, **options: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(data, **options)
    assert type(caught.value) is DecodeError
    assert len(str(caught.value)) < 400


# --- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", [b"\x90", b"\x80", b"\x91\xc7\x00\x02", b"\x81\x01\x80", b"\x91\xc7\x00\x01"])
def test_many_tiny_containers_are_refused_within_bounded_memory(element: bytes) -> None:
    count = 200_000
    bomb = b"\xdd" + count.to_bytes(4, "big") + element * count
    peak = peak_memory(lambda: refused(bomb, limits=Limits(max_containers=10_000)))
    assert peak < 10_000 * 1_000 + count * 8 + MB


def test_a_million_containers_are_accepted_and_more_are_not() -> None:
    most = Limits().max_containers
    assert len(decode(b"\xdd" + (most - 1).to_bytes(4, "big") + b"\x90" * (most - 1))) == most - 1
    refused(b"\xdd" + most.to_bytes(4, "big") + b"\x90" * most)


@pytest.mark.parametrize(
    "opening", [b"\x91", b"\x81\xa1a", b"\x92\xc7\x00\x01", b"\x92\xc7\x00\x03", b"\x92\xc7\x00\x02"]
)
def test_deep_nesting_is_refused(opening: bytes) -> None:
    refused(opening * 100_000 + b"\xc0")
    refused(opening * 1_100 + b"\xc0")
    refused(opening * 1_100)


@pytest.mark.parametrize("head", [b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9"])
def test_lengths_that_are_not_there_cost_nothing(head: bytes) -> None:
    bomb = head + b"\xff\xff\xff\xff" + b"\x01" * 1_000
    assert peak_memory(lambda: refused(bomb)) < MB


def test_nested_lengths_that_are_not_there_cost_little() -> None:
    # msgpack before 1.2.4 reserved a million places at each of the thousand levels: 8 GB.
    bomb = (b"\xdd" + MB.to_bytes(4, "big")) * 1_000 + b"\xc0" * MB
    assert peak_memory(lambda: refused(bomb)) < 250 * MB


def test_more_bytes_than_allowed_are_not_looked_at() -> None:
    refused(b"\xc0" * 11, limits=Limits(max_bytes=10))


def test_trailing_and_missing_bytes_are_refused() -> None:
    data = encode({"a": (1, 2), "b": [np.zeros(3)]}).envelope
    refused(b"")
    refused(data + b"\xc0")
    for end in range(1, len(data)):
        refused(data[:end])


# --- hashes ------------------------------------------------------------------------------------


def test_keys_chosen_to_collide_are_refused_at_once() -> None:
    keys = [number * (2**61 - 1) for number in range(8)] + [number * (2**61 - 1) for number in range(-4, 0)]
    decode(encode(set(keys)).envelope)
    many = [number * (2**61 - 1) for number in range(20_000)]
    started = time.process_time()
    for code in (Code.SET, Code.FROZENSET):
        refused(bytes(packb([ExtType(int(code), b"")] + [_ext(number) for number in many])))
    refused(bytes(packb({_ext(number): 0 for number in many})))
    assert time.process_time() - started < 20  # quadratic, it would be minutes


def _ext(number: int) -> Any:
    if number < 2**64:
        return number
    return ExtType(int(Code.INT), number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True))


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x90\x01",  # a list as key
        b"\x81\x80\x01",  # a dict as key
        b"\x81\x92\xc7\x00\x01\x90\x01",  # a tuple with a list as key
        b"\x92\xc7\x00\x02\x90",  # a set of a list
        b"\x93\xc7\x00\x03\x01\x80",
    ],
)
def test_unhashable_keys_are_refused(data: bytes) -> None:
    refused(data)


# --- marks -------------------------------------------------------------------------------------

MARK = b"\xc7\x00\x01"


@pytest.mark.parametrize(
    "data",
    [
        MARK,
        b"\x92\x01" + MARK,
        b"\x92" + MARK + MARK,
        b"\x93" + MARK + b"\x01" + MARK,
        b"\x81\xa1a" + MARK,
        b"\x81" + MARK + b"\x01",
        b"\x82\x01\x02" + MARK + b"\x01",
        b"\x92\xc7\x00\x02" + MARK,
        b"\x92\xc7\x00\x15" + MARK,
        b"\xc8\x00\x00\x01",
        b"\xc9\x00\x00\x00\x00\x01",
        b"\x91\xc9\x00\x00\x00\x00\x63",
    ],
    ids=lambda data: data.hex(),
)
def test_a_mark_in_a_wrong_place_is_refused(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize("code", [*range(-128, 128)])
def test_unknown_and_malformed_extensions_are_refused(code: int) -> None:
    byte = code.to_bytes(1, "big", signed=True)
    refused(b"\xc7\x00" + byte)
    if code not in (Code.INT, -1):
        refused(b"\xd4" + byte + b"\x00")
        refused(b"\x91\xd4" + byte + b"\x00")
    if code not in (Code.TUPLE, Code.SET, Code.FROZENSET, Code.DEQUE):
        refused(b"\x91\xc7\x00" + byte)
        refused(b"\x93\xc7\x00" + byte + b"\xc0\xc0")


# --- scalars -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        tagged(Code.FRACTION, 1, 0),
        tagged(Code.FRACTION, 1, 2.0),
        tagged(Code.FRACTION, ExtType(int(Code.INT), b"\x01" * 20_000), 3),
        tagged(Code.DECIMAL, "one"),
        tagged(Code.DECIMAL, 1),
        tagged(Code.COMPLEX, "1", 2),
        tagged(Code.DATE, 0),
        tagged(Code.DATE, 10**9),
        tagged(Code.DATETIME, "2024-13-01", 0, None),
        tagged(Code.DATETIME, "2024-01-01", 2, None),
        tagged(Code.DATETIME, "2024-01-01", 0, "UTC"),
        tagged(Code.TIME, "25:00", 0, None),
        tagged(Code.TIMEDELTA, 10**10, 0, 0),
        tagged(Code.TIMEZONE, 5),
        tagged(Code.ZONEINFO, "../../etc/passwd"),
        tagged(Code.ZONEINFO, "/etc/localtime"),
        tagged(Code.ZONEINFO, "No/Such_Zone"),
        tagged(Code.ZONEINFO, ""),
        tagged(Code.UUID, b"short"),
        tagged(Code.PATH, 7, "a"),
        tagged(Code.RANGE, 0, 1, 0),
        tagged(Code.SLICE, 0),
        tagged(Code.DEQUE, -1),
        tagged(Code.DEQUE, "a"),
        tagged(Code.ORDERED_DICT, []),
        tagged(Code.COUNTER),
        tagged(Code.DEFAULTDICT, 5, {}),
        tagged(Code.CONSTANT, 2),
        tagged(Code.TYPE, "eval"),
        tagged(Code.ENUM, "http:HTTPStatus", "NOPE"),
        tagged(Code.ENUM, "http:HTTPStatus", 200),
        tagged(Code.ENUM, "builtins:int", "real"),
        tagged(Code.DATACLASS, "builtins:int", {}),
        tagged(Code.DATACLASS, "\x1b[31m" + "x" * 1_000_000, {}),
        tagged(Code.NAMEDTUPLE, "builtins:tuple", 1),
        tagged(Code.NAMEDTUPLE, "os:stat_result", 1),
        tagged(Code.INT),
        b"\xd6\xff\x00\x00\x00",
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\xa1\xff",
        b"\xc1",
    ],
    ids=lambda data: repr(data[4:40]),
)
def test_values_that_do_not_exist_are_refused(data: bytes) -> None:
    refused(data)


# --- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    [
        *("O", "|O", "|O8", "(1000,1000,10)f8", "f8,i4", "i4,(2,2)f8", "{'names':['a'],'formats':['f8']}"),
        *("float64", "f8", "=f8", "<f8\n", " <f8", "<f3", "<i16", "<g", "int", "a5", "|T16", "", "<e2"),
        *("|S", "|S9999999999", "|S99999999", "<U99999999", "<M8[ns", "<M8[25.5s]", "<M8[ns]x"),
        *("<f16:1", "<f12:63", "<f16", "<c32", 5, None, [], {}, [-1], ["x"], [2**62], [100_000_000]),
        [8, ["a", "<f8", 1]],
        [8, ["a", "<f8", -1]],
        [8, ["a", "|O", 0]],
        [8, ["a", "<f8"]],
        [8, [1, "<f8", 0]],
        [8, [["t"], "<f8", 0]],
        [8, [["t", 1], "<f8", 0]],
        [8, ["a", "<f8", 0, 2]],
        [8, ["a", "<f8", 0, -1]],
        [8, ["a", "|i1", 0, 2**40, 2**40]],
        [8, ["a", "|i1", 0], ["a", "|i1", 1]],
        [8, ["a", [8, ["b", "|O", 0]], 0]],
    ],
    ids=str,
)
def test_dtypes_outside_of_the_closed_set_are_refused(dtype: Any) -> None:
    for data in (
        array(dtype, [1], bytes(8)),
        array(dtype, [0]),
        tagged(Code.DTYPE, dtype, False),
        tagged(Code.SCALAR, dtype, b""),
    ):
        refused(data)


def test_dtypes_within_dtypes_are_bounded() -> None:
    dtype: Any = "<f8"
    for _ in range(400):
        dtype = [8, ["a", dtype, 0]]
    refused(array(dtype, [1], bytes(8)))


@pytest.mark.parametrize(
    "shape",
    [
        *([2], [2**64 - 1], [2**32, 2**32], [2**63], [-1], [-1, -1], [True], [1.0], ["1"], [None], [[1]]),
        *([1] * 33, [2**62, 4], [0, 2**63], [2**31] * 32, [ExtType(int(Code.INT), b"\xff" * 9 + b"\x00")]),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_the_bytes_are_refused(shape: list[Any]) -> None:
    refused(array("|u1", shape, b"\x00"))
    refused(array("<f8", shape, bytes(8)))
    refused(array("<f8", shape, 0), buffers=[memoryview(bytes(8))])


def test_arrays_without_bytes_are_bounded() -> None:
    for dtype in ("|S0", "<U0", "|V0", [0]):
        refused(array(dtype, [2**40]))
        assert decode(array(dtype, [3])).shape == (3,)
    for shape in ([0, 2**40], [2**62, 0]):
        assert decode(array("|u1", shape)).size == 0
    refused(array("<f8", [2**62, 2**62, 0]))


@pytest.mark.parametrize("index", [-1, 1, 2**40, True, 0.0, "0"])
def test_buffers_that_are_not_there_are_refused(index: Any) -> None:
    refused(array("<f8", [1], index), buffers=[memoryview(bytes(8))])


def test_an_empty_array_of_long_text_takes_no_memory() -> None:
    data = array("|S60000000", [0])
    assert peak_memory(lambda: decode(data)) < MB


def test_a_buffer_that_is_named_often_is_copied_once() -> None:
    mark = ExtType(int(Code.ARRAY), b"")
    data = bytes(packb([[mark, "|u1", False, 0, MB]] * 1_000))
    assert peak_memory(lambda: decode(data, [memoryview(bytes(MB))])) < 5 * MB


def test_a_value_that_does_not_fit_into_memory_is_a_decode_error() -> None:
    def too_much(name: str) -> type:
        raise MemoryError

    refused(tagged(Code.ENUM, "a:b", "c"), classes=too_much)


def test_an_endless_recursion_of_a_class_is_a_decode_error() -> None:
    def endless(name: str) -> type:
        return endless(name)

    refused(tagged(Code.ENUM, "a:b", "c"), classes=endless)
