"""What cannot travel is refused before anything is sent, with its place in the value and advice."""

import collections
import datetime
import enum
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from farpool_common.codec import Limits, encode, explain, limits
from farpool_common.errors import EncodeError


@dataclass
class Holder:
    content: Any
    slot: Any = None


@dataclass
class Listing(list[int]):
    x: int = 0


@dataclass
class Broken:
    x: int = field(init=False)


class Text(str):
    __slots__ = ()


class Zone(datetime.tzinfo):
    pass


class Tensor:
    def __array__(self) -> Any:
        raise NotImplementedError


def local_class() -> Any:
    @dataclass
    class Inner:
        x: int

    return Inner(1)


def masked() -> Any:
    return np.ma.masked_array([1, 2], [True, False])


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (object(), "", "object cannot travel"),
        ([1, [2, object()]], "[1][1]", "object"),
        ([0, 1, {"rows": [object()]}], "[2]['rows'][0]", "object"),
        (((1, (2, print)),), "[0][1][1]", "function"),
        ({"a": {(1, print): 2}}, "['a'].key((1, <built-in function print>))[1]", "function"),
        ({1: {2: lambda: 0}}, "[1][2]", "name of a function"),
        ({1, Holder}, ".element", "class Holder itself"),
        (collections.deque([1, print]), "[1]", "function"),
        (collections.OrderedDict(a=print), "['a']", "function"),
        (collections.defaultdict(print), ".default_factory", "function"),
        (slice(0, print), "", "function"),
        ((n for n in "ab"), "", r"list\(value\)"),
        ([map(str, [])], "[0]", r"list\(value\)"),
        ({}.keys(), "", "dict_keys"),
        ([sys], "[0]", "import it there"),
        (ValueError("x"), "", r"str\(value\)"),
        (threading.Lock(), "", "lock"),
        (Tensor(), "", r"numpy.asarray\(value\)"),
        (Text("a"), "", "would lose its class"),
        ([memoryview(b"abcd")[::2]], "[0]", "memoryview with gaps"),
        ({"t": datetime.datetime(2024, 1, 1, tzinfo=Zone())}, "['t']", "ZoneInfo"),
        (Holder({"x": [print]}), ".content['x'][0]", "function"),
        (local_class(), "", "inside a function"),
        (enum.Enum("Made", "a").a, "", "not what its module has"),
        (collections.namedtuple("Loc", "a")(1), "", "not what its module has"),
        (Listing(x=1), "", "also a list"),
        ([Broken()], "[0]", "AttributeError"),
        (type, "", "class type itself"),
        (np.number, "", "send a dtype"),
        ([masked()], "[0]", r"filled\(\)"),
        ([np.ma.masked], "[0]", "masked"),
        (np.zeros((1, 1)).view(np.matrix), "", r"asarray"),
        (np.rec.array([(1,)], dtype=[("a", "i4")]), "", "recarray"),
        (np.array([1, 2.5, True, {}], object), "", r"element \[3\] is a dict; convert with"),
        (np.array([[1, None]], object), "", r"element \[0, 1\] is a NoneType"),
        (np.array([1, 2], object), "", r"astype\(float\)"),
        (np.zeros(2, [("a", "O")]), "", "fields of Python objects"),
        (np.zeros(2, [((5, "a"), "i4")]), "", "cannot travel; convert"),
        (np.zeros((1,) * 33) if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else print, "", "dimensions|function"),
        (np.ndarray(2_000_000, "V0"), "", "elements without bytes"),
        (np.zeros(0, "S70000000"), "", "an element has"),
        (np.dtype("O"), "", "Python objects"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else type(value).__name__,
)
def test_a_refusal_says_where_what_and_what_to_do(value: Any, path: str, words: str) -> None:
    with pytest.raises(EncodeError, match=words) as caught:
        encode(value)
    assert caught.value.path == path
    assert len(str(caught.value)) < 600


def test_variable_text_of_numpy_2_is_refused() -> None:
    string = getattr(np.dtypes, "StringDType", None)
    value = np.array(["x"], dtype=string()) if string else np.array(["x"], object)
    with pytest.raises(EncodeError, match="convert with"):
        encode(value)


def test_attributes_that_are_no_fields_are_not_lost_silently() -> None:
    value = Holder(1)
    value.extra = 2  # type: ignore[attr-defined]
    with pytest.raises(EncodeError, match="'extra' of Holder is no field") as caught:
        encode({"h": [value]})
    assert caught.value.path == "['h'][0]"


def test_a_zone_read_from_a_file_is_refused() -> None:
    import zoneinfo

    for folder in zoneinfo.TZPATH:
        try:
            with open(f"{folder}/UTC", "rb") as file:
                zone = ZoneInfo.from_file(file)
        except OSError:
            continue
        with pytest.raises(EncodeError, match="without a key"):
            encode([zone])


def nested(wrap: Callable[[Any], Any], levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: [value],
        lambda value: (value,),
        lambda value: {"a": value},
        lambda value: frozenset([value]),
        lambda value: collections.OrderedDict(a=value),
        lambda value: Holder(value),
    ],
    ids=["list", "tuple", "dict", "frozenset", "OrderedDict", "dataclass"],
)
def test_deep_nesting_is_refused(wrap: Callable[[Any], Any]) -> None:
    encode(nested(wrap, 240))
    with pytest.raises(EncodeError, match="nested deeper than 1,000 levels"):
        encode(nested(wrap, 2_000))


def test_what_contains_itself_is_refused() -> None:
    ring: list[Any] = [1]
    ring.append({"a": (ring,)})
    with pytest.raises(EncodeError, match="contains itself") as caught:
        encode(ring)
    assert caught.value.path == "[1]['a'][0]"


def test_the_same_object_twice_is_no_ring() -> None:
    once = [1]
    assert explain([once, once, (once, {"a": once})]) is None


def test_more_containers_than_a_reader_accepts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from farpool_common.codec import encoder

    monkeypatch.setattr(encoder, "DEFAULT", Limits(max_containers=100))
    encode([[]] * 99)
    encode(list(range(1_000)))
    for value in ([[]] * 100, {number: (number,) for number in range(100)}, [Holder(())] * 40):
        with pytest.raises(EncodeError, match="more than 100 lists"):
            encode(value)


def test_the_packer_and_the_unpacker_count_containers_alike() -> None:
    from farpool_common.codec import decode, faults

    value = [(1, {2}), {"a": [10**30, ...]}, Holder([np.zeros(3), np.int8(1)]), {1: range(3), (): "x"}]
    count = faults.count_containers(value, 1_000)
    data = encode(value).envelope
    decode(data, limits=Limits(max_containers=count))
    with pytest.raises(ValueError, match=re.escape(f"more than {count - 1:,}")):
        decode(data, limits=Limits(max_containers=count - 1))


def test_too_large_a_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from farpool_common.codec import encoder

    monkeypatch.setattr(encoder, "DEFAULT", limits.Limits(max_bytes=1_000, max_containers=100))
    with pytest.raises(EncodeError, match="in one message"):
        encode("x" * 1_000)


def test_encoding_works_in_many_threads_and_inside_itself() -> None:
    values = [(number, {"a": [number] * 100}, np.full(10_000, number)) for number in range(50)]
    expected = [encode(value).envelope for value in values]
    found: dict[int, list[bytes]] = {}

    def work(number: int) -> None:
        found[number] = [encode(value).envelope for value in values]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] == expected for number in range(4)] == [True] * 4


def test_what_an_async_function_gives_is_refused_with_the_word_that_runs_it() -> None:
    async def answer() -> int:
        return 42

    given = answer()
    try:
        with pytest.raises(EncodeError, match=r"a coroutine cannot travel: .*asyncio\.run"):
            encode(given)
    finally:
        given.close()
