"""Python's own types arrive as they left."""

import enum
import math
import re
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from http import HTTPStatus
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from farpool_common.codec import Serializer, decode, encode
from farpool_common.errors import DecodeError, FunctionNotAllowedError


class Colour(enum.Enum):
    RED = "r"
    CRIMSON = "r"  # noqa: PIE796 (an alias)
    BLUE = (1, 2)


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Row(NamedTuple):
    name: str
    size: int = 0


Pair = namedtuple("Pair", "a b")


@dataclass
class Point:
    x: int
    y: Any = None


@dataclass(frozen=True, slots=True)
class Fixed:
    name: str
    parts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.name == "refused":
            raise AssertionError("the constructor ran")


@dataclass
class Lazy:
    x: int
    hidden: int = field(init=False, default=3)

    @cached_property
    def square(self) -> int:
        return self.x**2


VALUES = [
    *(None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**5000, -(10**5000)),
    *(0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324, 1j, complex(math.nan, -0.0)),
    *("", "a", "é€😀", "\x00", "\udc80 of a file name", "x" * 70_000, b"", b"\x00\xff", b"y" * 70_000),
    *([], [[]], [1, [2, [3]]], (), ((),), (1, "a", (None,)), [(), []]),
    *({}, {"a": {"b": []}}, {b"k": 1}, {1: 2, None: 3, (1, (2,)): 4, 1.5: 5, frozenset({1}): 6}),
    *({"s": 1, 2: "mixed"}, [{"a": 1}, {1: "a"}], {Colour.RED: 1, date(2024, 1, 1): 2}),
    *(set(), {1, "a"}, frozenset(), frozenset({(1, 2)}), set(range(5_000))),
    *(Decimal("1.10"), Decimal("-Infinity"), Decimal("NaN"), Decimal("1E-999999"), Fraction(-1, 3)),
    *(datetime(1, 1, 1), datetime.max, datetime(2024, 10, 27, 2, 30, fold=1)),
    *(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin"))),
    *(datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-3, microseconds=1))), date.min, date.max),
    *(time(1, 2, 3, 4, fold=1), time(0, 0, tzinfo=UTC), timedelta.min, timedelta.max, timedelta(0)),
    *(UTC, timezone(timedelta(hours=1), "X"), ZoneInfo("America/New_York")),
    *(UUID(int=5), Path("/a/b"), Path("."), PurePosixPath("a/b"), PureWindowsPath("c:/x")),
    *(range(0), range(1, 10**30, 7), range(5, -5, -1), slice(None), slice(1, (2,), "x"), ..., NotImplemented),
    *(OrderedDict([("b", 1), ("a", 2)]), Counter("abca"), defaultdict(list, a=[1]), defaultdict(None, {1: 2})),
    *(deque([1, [2]]), deque([1, 2], maxlen=3), int, dict, [str, object]),
    *(Colour.RED, Colour.CRIMSON, Colour.BLUE, HTTPStatus.OK, Access.READ | Access.WRITE, Access(0), re.I | re.M),
    *(Row("a", 2), Pair([1], None), Point(1, [Point(2)]), Fixed("a", (1, 2))),
]


@pytest.mark.parametrize("value", VALUES, ids=[f"{at}-{type(value).__name__}" for at, value in enumerate(VALUES)])
def test_a_value_arrives_equal_and_of_the_same_type(value: Any, same: Any) -> None:
    assert same(Serializer.loads(Serializer.dumps(value)), value)
    assert same(Serializer.loads(Serializer.dumps([value, (value,)])), [value, (value,)])


def test_fold_and_zone_names_survive() -> None:
    late = datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    named = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "X"))
    found = Serializer.loads(Serializer.dumps([late, named]))
    assert (found[0].fold, found[0].utcoffset(), found[1].tzname()) == (1, timedelta(hours=1), "X")


def test_a_signalling_nan_arrives() -> None:
    assert Serializer.loads(Serializer.dumps(Decimal("sNaN123"))).compare_total(Decimal("sNaN123")) == 0


def test_a_deque_and_a_defaultdict_keep_how_they_behave() -> None:
    found, counts = Serializer.loads(Serializer.dumps([deque([1, 2], 2), defaultdict(int, a=1)]))
    found.append(3)
    counts["new"] += 1
    assert (found, counts) == (deque([2, 3]), {"a": 1, "new": 1})


def test_bytearray_and_memoryview_arrive_as_bytes() -> None:
    assert Serializer.loads(Serializer.dumps([bytearray(b"a"), memoryview(b"b")])) == [b"a", b"b"]


def test_a_dataclass_is_rebuilt_without_its_constructor() -> None:
    value = object.__new__(Fixed)
    object.__setattr__(value, "name", "refused")
    object.__setattr__(value, "parts", ())
    assert Serializer.loads(Serializer.dumps(value)).name == "refused"


def test_a_cached_property_is_computed_again() -> None:
    value = Lazy(3)
    assert value.square == 9
    found = Serializer.loads(Serializer.dumps(value))
    assert found.__dict__ == {"x": 3, "hidden": 3}
    assert found.square == 9


def test_a_list_that_begins_like_a_tagged_array_stays_a_list() -> None:
    assert Serializer.loads(Serializer.dumps([[1], ["text"], [b"\xc7\x00\x01"]])) == [[1], ["text"], [b"\xc7\x00\x01"]]


def test_the_envelope_of_four_parts_begins_as_rq_expects() -> None:
    assert Serializer.dumps(["f", None, [], {}])[0] == 0x94


def test_the_timestamp_of_other_msgpack_writers_is_a_datetime() -> None:
    assert decode(b"\xd6\xff\x00\x00\x00\x01") == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_envelopes_are_bytes_bytearrays_and_memoryviews() -> None:
    data = encode((1, {"a": 2})).envelope
    assert [decode(kind(data)) for kind in (bytes, bytearray, memoryview)] == [(1, {"a": 2})] * 3


# --- classes -----------------------------------------------------------------------------------


def test_classes_are_found_by_the_resolver() -> None:
    asked = []

    def resolver(name: str) -> type:
        asked.append(name)
        return Point

    assert decode(encode([Point(1), Point(2)]).envelope, classes=resolver) == [Point(1), Point(2)]
    assert asked == [f"{__name__}:Point"]  # once for each name


@pytest.mark.parametrize("found", [int, Colour, Row, Fixed, 5, None])
def test_a_class_of_another_sort_is_refused(found: Any) -> None:
    with pytest.raises(DecodeError):
        decode(encode(Point(1)).envelope, classes=lambda name: found)


@pytest.mark.parametrize("value", [Colour.RED, Row("a"), Access.READ | Access.WRITE])
def test_a_dataclass_is_no_substitute_for_an_enum_or_named_tuple(value: Any) -> None:
    with pytest.raises(DecodeError):
        decode(encode(value).envelope, classes=lambda name: Point)


def test_the_refusal_of_a_resolver_reaches_the_caller() -> None:
    def refuses(name: str) -> type:
        raise FunctionNotAllowedError(name)

    def breaks(name: str) -> type:
        raise KeyError(name)

    data = encode(Point(1)).envelope
    with pytest.raises(FunctionNotAllowedError):
        decode(data, classes=refuses)
    with pytest.raises(DecodeError, match="KeyError"):
        decode(data, classes=breaks)


def test_a_class_that_is_not_loaded_is_not_imported() -> None:
    data = encode(Point(1)).envelope
    name = f"{__name__}:Point".encode()
    for other in (b"antigravity:Point", b"numpy:testing.Point", b"os:system", b"farpool_common.codec:decode"):
        swapped = data.replace(
            bytes([0xA0 + len(name)] if len(name) < 32 else [0xD9, len(name)]) + name, b"\xd9%c%s" % (len(other), other)
        )
        assert swapped != data
        with pytest.raises(DecodeError):
            decode(swapped)


def test_fields_that_do_not_match_the_class_are_refused() -> None:
    @dataclass
    class Other:
        x: int
        z: int

    with pytest.raises(DecodeError, match="fields"):
        decode(encode(Point(1)).envelope, classes=lambda name: Other)
