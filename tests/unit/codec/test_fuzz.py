"""Damaged envelopes: a value or a DecodeError, in bounded memory, and never pickle."""

import _pickle
import enum
import pickle
import random
import subprocess
import sys
import tracemalloc
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from farpool_common.codec import decode, encode
from farpool_common.errors import DecodeError

MUTANTS = 12_000


class Colour(enum.Enum):
    RED = 1


class Row(NamedTuple):
    a: int
    b: str


@dataclass(frozen=True)
class Point:
    x: Any
    y: Any


RECORD = np.dtype([("a", "<i4"), ("b", ">f8", (2,)), ("c", [("d", "M8[us]")])])
SEEDS = [
    [1, 2.5, "text", b"bytes", None, True, 2**70, -(2**70)],
    {"a": [1, {"b": (1, (2, 3))}], "c": {1: 2, (3, 4): 5}},
    ({1, 2}, frozenset({"a"}), 1j, Decimal("1.5"), Fraction(1, 3), range(5), slice(1, None)),
    [datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 1), time(1, 2), timedelta(1), ZoneInfo("Europe/Berlin")],
    [UUID(int=1), Path("/a"), ..., int, np.float32, np.dtype("f8"), RECORD],
    [OrderedDict(a=1), Counter("aab"), defaultdict(list, a=[1]), deque([1, 2], 3)],
    [Colour.RED, Row(1, "b"), Point(1, [Point(2, 3)])],
    [np.arange(6.0).reshape(2, 3).T, np.float64(1), np.datetime64("2024", "D"), np.str_("a"), np.array(["ab"])],
    [np.zeros(2, RECORD), np.zeros(3, "?"), np.zeros((0, 2)), np.zeros((), "c16"), np.zeros(1, RECORD)[0]],
    np.arange(40.0),
    [[np.arange(40.0), np.zeros((5, 9), "M8[ns]")], {"k": np.arange(40.0)}],
]


def mutant(chance: random.Random, corpus: list[bytes]) -> bytes:
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at, end = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
        other = chance.choice(corpus)
        start = chance.randrange(len(other))
        match chance.randrange(7):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 2:
                del data[at : min(end, at + 4)]
            case 3:
                data[at:at] = data[at : min(end, at + 20)]
            case 4:
                data[at:at] = other[start : start + chance.randrange(20)]
            case 5:
                data[at:at] = chance.choice((b"\xc7\x00", b"\xdd\x00\x10\x00\x00", b"\xff\xff", b"\xcf" + b"\xff" * 8))
            case _:
                data[at : at + 2] = chance.choice((b"\x90", b"\x80", b"\xc0", b"\xc3", b"\x91\xc7\x00\x1b"))
    return bytes(data)


@pytest.fixture
def without_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> NoReturn:
        raise SystemExit("the codec called pickle")

    for module in (pickle, _pickle):
        for name in ("load", "loads", "Unpickler", "dump", "dumps", "Pickler"):
            monkeypatch.setattr(module, name, forbidden)


@pytest.mark.usefixtures("without_pickle")
@pytest.mark.parametrize("limit", [None, 300])
def test_mutants_are_values_or_decode_errors_in_bounded_memory(limit: int | None, seed: int) -> None:
    chance = random.Random(seed)
    originals = [encode(value, inline_limit=limit) for value in SEEDS]
    corpus = [original.envelope for original in originals]
    accepted = 0
    tracemalloc.start()
    try:
        for _ in range(MUTANTS // 2):
            data = mutant(chance, corpus)
            buffers = [memoryview(bytearray(buffer)) for buffer in chance.choice(originals).buffers]
            try:
                found = decode(data, buffers)
            except DecodeError:
                continue
            accepted += 1
            again = encode(found, inline_limit=limit)  # what was accepted can travel on
            decode(again.envelope, again.buffers)
        assert tracemalloc.get_traced_memory()[1] < 64_000_000
    except BaseException:
        print(f"envelope {data.hex()}")
        raise
    finally:
        tracemalloc.stop()
    assert 0 < accepted < MUTANTS // 2


def test_the_codec_imports_neither_pickle_nor_numpy() -> None:
    code = (
        "import sys; from farpool_common.codec import Serializer; Serializer.loads(Serializer.dumps([(1, {2})]));"
        "print(sorted({'pickle', '_pickle', 'numpy', 'redis', 'rq'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
