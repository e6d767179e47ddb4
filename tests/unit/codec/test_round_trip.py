"""Whatever hypothesis makes of the types that travel arrives equal.

A failure prints the line `@reproduce_failure(...)` which repeats it.
"""

from collections import Counter, OrderedDict, deque
from datetime import timedelta, timezone
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from farpool_common.codec import Serializer, decode, encode
from farpool_common.errors import DecodeError

thorough = settings(
    max_examples=200,
    deadline=None,
    print_blob=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

zones = st.one_of(
    st.none(),
    st.timezones(),
    st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)), st.text(max_size=3)),
)
hashable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(allow_nan=False),
    st.text(st.characters(codec=None), max_size=8),
    st.binary(max_size=8),
    st.complex_numbers(allow_nan=False),
    st.fractions(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.times(timezones=zones),
    st.datetimes(timezones=zones, allow_imaginary=True),
    st.timedeltas(),
    st.uuids(),
)
scalars = st.one_of(hashable, st.floats(), st.complex_numbers(), st.sampled_from([..., int, NotImplemented]))
keys = st.recursive(hashable, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
plain_dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
    hnp.byte_string_dtypes(endianness="?"),
    hnp.unicode_string_dtypes(endianness="?"),
)
dtypes = st.one_of(plain_dtypes, hnp.nested_dtypes(plain_dtypes, max_itemsize=200)).filter(lambda d: d.subdtype is None)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=4)
    return st.one_of(
        lists,
        lists.map(tuple),
        lists.map(deque),
        st.dictionaries(st.text(max_size=4), inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(keys, inner, max_size=3).map(OrderedDict),
        st.dictionaries(keys, st.integers(), max_size=3).map(Counter),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
        st.builds(slice, inner, inner, inner),
    )


values = st.recursive(st.one_of(scalars, arrays), containers, max_leaves=12)


@thorough
@given(value=values)
def test_any_value_arrives_equal(value: Any, same: Any) -> None:
    assert same(_comparable(Serializer.loads(Serializer.dumps(value))), _comparable(value))


@thorough
@given(array=arrays, transposed=st.booleans(), step=st.sampled_from([1, 2, -1]))
def test_any_array_arrives_equal_through_buffers(array: Any, transposed: bool, step: int, same: Any) -> None:
    value = (array.T if transposed else array)[..., ::step] if array.ndim else array
    found = encode(value, inline_limit=0)
    assert same(decode(found.envelope, found.buffers), np.array(value))


@thorough
@given(number=st.integers(-(2**70), 2**70) | st.integers(60, 20_000).map(lambda bits: -(1 << bits)))
def test_any_integer_arrives_equal(number: int) -> None:
    assert Serializer.loads(Serializer.dumps(number)) == number


@thorough
@given(data=st.binary(max_size=60))
def test_arbitrary_bytes_are_a_value_or_a_decode_error(data: bytes) -> None:
    try:
        found = Serializer.loads(data)
    except DecodeError:
        return
    Serializer.dumps(found)


def _comparable(value: Any) -> Any:
    """Slices as tuples, and deques as lists: so that `same` looks into them."""
    if isinstance(value, slice):
        return ("slice", *map(_comparable, (value.start, value.stop, value.step)))
    if isinstance(value, deque):
        return ["deque", *map(_comparable, value)]
    if type(value) in (list, tuple):
        return type(value)(map(_comparable, value))
    if isinstance(value, dict):
        return {"type": type(value).__name__, "items": [(key, _comparable(item)) for key, item in value.items()]}
    return value
