"""What stands for a value: references to stored objects, and one value many times."""

import pickle

import msgpack
import numpy as np
import pytest

from farpool_common.chunk import Chunk, decode_chunk, encode_chunk
from farpool_common.codec import Ref, Repeated, Serializer, decode, encode
from farpool_common.codec.kinds import Code
from farpool_common.errors import DecodeError, EncodeError

ID = "0123456789abcdef" * 2


def ref(name: str = ID) -> Ref[str]:
    return Ref(name, 5, lambda found: f"got {found.id}")


def test_a_reference_arrives_as_what_it_stands_for_wherever_it_is():
    first, second = ref(), ref("f" * 32)
    encoded = encode([first, {"a": (second, first)}], takes_refs=True)
    assert set(encoded.refs) == {first, second}
    assert decode(encoded.envelope, objects=str.upper) == [ID.upper(), {"a": ("F" * 32, ID.upper())}]


def test_a_chunk_says_which_references_it_holds_also_those_of_its_initializer():
    encoded = encode_chunk(Chunk("m:f", columns=[[ref(), ref()]]))
    assert [found.id for found in encoded.refs] == [ID]
    assert decode_chunk(encoded.envelope, objects=lambda name: name).columns == [[ID, ID]]


def test_a_reference_is_followed_only_where_objects_are_known():
    with pytest.raises(DecodeError, match="none can be followed"):
        decode(encode(ref(), takes_refs=True).envelope)


@pytest.mark.parametrize("write", [encode, Serializer.dumps, lambda value: encode({"a": value}, inline_limit=None)])
def test_a_reference_goes_nowhere_but_into_arguments(write):
    with pytest.raises(EncodeError, match="as an argument of an executor's calls only"):
        write(ref())


def test_the_part_at_fault_is_named_beside_references():
    with pytest.raises(EncodeError, match=r"\[1\]"):
        encode([ref(), object()], takes_refs=True)


def test_a_reference_cannot_be_pickled_and_gets_its_value():
    with pytest.raises(TypeError, match="as an argument of calls only"):
        pickle.dumps(ref())
    assert ref().get() == f"got {ID}"
    assert repr(ref()) == "<farpool.Ref 01234567, 5 bytes>"


def test_one_value_many_times_is_a_sequence_that_takes_no_room():
    many = Repeated("x", 5)
    assert (len(many), list(many), many[-1], list(many[1:3]), many.count("x")) == (5, ["x"] * 5, "x", ["x", "x"], 5)
    with pytest.raises(IndexError):
        many[5]
    again = decode(encode(Repeated(7, 100_000)).envelope)
    assert (type(again), len(again), again[99_999]) == (Repeated, 100_000, 7)
    assert len(encode(many).envelope) < 10


@pytest.mark.parametrize("code", [Code.REF, Code.REPEATED])
@pytest.mark.parametrize("parts", [[], [1], ["a", "b", "c"], [-1, None], [2**40, None], [None, None]])
def test_malformed_parts_are_refused(code, parts):
    envelope = msgpack.packb([msgpack.ExtType(int(code), b""), *parts])
    with pytest.raises(DecodeError):
        decode(envelope, objects=str)


@pytest.mark.parametrize("nbytes", [800, 800_000])
def test_arrays_of_a_shared_value_are_read_only_and_use_its_memory(nbytes):
    array = np.arange(nbytes / 8)
    encoded = encode({"a": array, "b": array.astype([("x", "f8")])})
    buffers = [memoryview(bytes(buffer)) for buffer in encoded.buffers]
    for found in decode(encoded.envelope, buffers, is_shared=True).values():
        assert found.tobytes() == array.tobytes()
        with pytest.raises(ValueError, match="read-only"):
            found[:1] = found[1:2]
        if buffers:
            assert any(np.shares_memory(found, np.frombuffer(buffer, "u1")) for buffer in buffers)
