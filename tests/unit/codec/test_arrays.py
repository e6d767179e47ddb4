"""NumPy arrays and scalars arrive with dtype, shape and order, and writable."""

from typing import Any

import numpy as np
import pytest

from farpool_common.codec import Limits, Serializer, decode, encode
from farpool_common.errors import DecodeError

NUMBERS = "?bhilqBHILQefdgFDG"
RECORD = np.dtype([("a", "<i4"), ("b", ">f8", (2, 3)), ("c", [("d", "M8[us]"), ("e", "S3")])])
PADDED = np.dtype({"names": ["x", "y"], "formats": ["u1", "<f4"], "offsets": [1, 8], "itemsize": 16})
DTYPES = [
    *(np.dtype(code) for code in NUMBERS),
    *(np.dtype(code).newbyteorder(">") for code in "hilqHILQefdFD"),
    *("S5", "U3", ">U3", "V7", "M8[ns]", "m8[25s]", "M8", ">M8[D]", RECORD, PADDED, [], "S0", "U0"),
]


def travelled(value: Any, limit: int | None = None) -> Any:
    found = encode(value, inline_limit=limit)
    return decode(found.envelope, [memoryview(bytearray(buffer)) for buffer in found.buffers])


def filled(dtype: Any, shape: tuple[int, ...]) -> Any:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.ndarray(shape, dtype, bytearray(bytes(index % 2 for index in range(size))))


def _order(array: Any) -> tuple[bool, bool]:
    return array.flags.c_contiguous, array.flags.f_contiguous


@pytest.mark.parametrize("limit", [None, 0, 1])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_and_shape_arrives(dtype: Any, limit: int | None, same: Any) -> None:
    for shape in [(), (1,), (5,), (0,), (2, 0, 3), (2, 3, 4)]:
        for value in (filled(dtype, shape), filled(dtype, shape).T):
            found = travelled(value, limit)
            assert same(found, value)
            assert found.flags.writeable
            assert value.itemsize == 0 or _order(found) == _order(value)  # without bytes there is no order


@pytest.mark.parametrize(
    "value",
    [
        np.arange(20)[::3],
        np.arange(20)[::-1],
        np.arange(24).reshape(4, 6)[1:3, ::2],
        np.broadcast_to(np.arange(3), (4, 3)),
        np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0),
        np.zeros(4, RECORD)["b"],
        np.zeros((1,) * 32),
    ],
    ids=lambda value: str(value.strides),
)
@pytest.mark.parametrize("limit", [None, 0])
def test_views_with_gaps_arrive_as_arrays(value: Any, limit: int | None, same: Any) -> None:
    assert same(travelled(value, limit), value)


@pytest.mark.parametrize("code", NUMBERS)
def test_scalars_keep_their_type(code: str, same: Any) -> None:
    value = np.dtype(np.dtype(code).str).type(1)  # C's long and long long are one dtype
    assert same(travelled([value, (value,)]), [value, (value,)])


@pytest.mark.parametrize(
    "value",
    [
        np.datetime64("2024-01-01T00:00", "25m"),
        np.datetime64("NaT"),
        np.timedelta64(5, "ns"),
        np.str_("é\udc80\x00"),
        np.bytes_(b"a\x00"),
        np.void(b"abc"),
        np.zeros(1, RECORD)[0],
        np.float64("nan"),
    ],
    ids=repr,
)
def test_other_scalars_keep_their_type(value: Any, same: Any) -> None:
    assert same(travelled(value), value)


def test_dtypes_and_scalar_types_are_values() -> None:
    values = [np.dtype("f8"), np.dtype(">i2"), RECORD, PADDED, np.float32, np.str_, np.datetime64, np.longdouble]
    assert travelled(values) == values


def test_a_memory_map_arrives_as_an_array(tmp_path: Any) -> None:
    value = np.memmap(tmp_path / "m", dtype="f4", mode="w+", shape=(3,))
    found = travelled(value)
    assert type(found) is np.ndarray
    assert found.tolist() == [0, 0, 0]


def test_scalars_and_arrays_can_be_keys_and_fields_of_other_values(same: Any) -> None:
    value = {np.int8(1): [np.arange(3)], (np.float32(2), "a"): {"b": np.zeros((2, 2))}}
    assert same(travelled(value), value)


# --- buffers -----------------------------------------------------------------------------------


def test_arrays_of_64_kib_leave_the_envelope() -> None:
    below, at = np.zeros(65535, "u1"), np.zeros(65536, "u1")
    found = encode([below, at])
    assert [buffer.nbytes for buffer in found.buffers] == [65536]
    assert found.nbytes == len(found.envelope) + 65536
    assert [buffer.format for buffer in found.buffers] == ["B"]


def test_contiguous_arrays_are_not_copied_when_encoding() -> None:
    for value in (np.zeros(10_000), np.zeros((100, 200)).T, np.zeros(10_000, "M8[s]"), np.zeros(9000, RECORD)):
        (buffer,) = encode(value).buffers
        assert np.shares_memory(np.frombuffer(buffer, "u1"), value)


def test_a_read_only_array_is_encoded_without_a_copy_and_arrives_writable() -> None:
    value = np.zeros(10_000)
    value.flags.writeable = False
    found = encode(value)
    assert decode(found.envelope, found.buffers).flags.writeable


def test_a_writable_buffer_is_used_without_a_copy() -> None:
    found = encode(np.zeros(10_000))
    buffer = bytearray(found.buffers[0])
    array = decode(found.envelope, [memoryview(buffer)])
    array[0] = 1.0
    assert buffer[:8] == np.float64(1.0).tobytes()


def test_a_read_only_buffer_is_copied() -> None:
    found = encode(np.zeros(10_000))
    buffer = bytes(found.buffers[0])
    decode(found.envelope, [memoryview(buffer)])[:] = 1.0
    assert buffer == bytes(80_000)


def test_buffers_of_any_format_are_accepted() -> None:
    found = encode(np.arange(10_000.0))
    assert decode(found.envelope, [np.arange(10_000.0).data])[9999] == 9999


def test_an_array_that_occurs_twice_arrives_as_two_that_share_nothing() -> None:
    value = np.zeros(10_000)
    found = encode([(value,), (value,)])
    (a,), (b,) = decode(found.envelope, [memoryview(bytearray(buffer)) for buffer in found.buffers])
    a += 1
    assert not b.any()


def test_arrays_of_a_property_that_live_briefly_are_not_confused() -> None:
    found = encode([np.full(10_000, number) for number in range(20)])
    assert [array[0] for array in decode(found.envelope, found.buffers)] == list(range(20))


def test_everything_is_inline_for_the_serializer() -> None:
    assert Serializer.loads(Serializer.dumps(np.ones(100_000))).sum() == 100_000


def test_missing_and_wrong_buffers_are_refused() -> None:
    found = encode(np.zeros(10_000))
    for buffers in ([], [memoryview(b"")], [memoryview(bytes(79_999))], [memoryview(bytes(80_001))]):
        with pytest.raises(DecodeError):
            decode(found.envelope, buffers)


def test_an_inline_array_does_not_count_as_containers() -> None:
    value = np.full(2_000_000, 0x90, "u1")
    assert (Serializer.loads(Serializer.dumps(value)) == value).all()
    with pytest.raises(DecodeError):
        decode(Serializer.dumps(value), limits=Limits(max_bytes=1_000_000))
