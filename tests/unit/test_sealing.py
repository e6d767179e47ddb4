"""Values that only a pickle can describe: signed where there is a key, and otherwise as if there were none."""

import random
import threading
from fractions import Fraction

import numpy as np
import pytest

from farpool_common import sealing
from farpool_common.codec import Encoded, Ref, Sealed, decode, encode
from farpool_common.errors import CodeNotTrustedError, DecodeError, EncodeError
from farpool_common.sealing import Sealer
from farpool_common.signing import SigningKey

SEAL = Sealer(SigningKey("k" * 43))
LARGE = 100_000
"""Bytes of an array that does not stay in the envelope."""


class Pair:
    """A class that the codec does not know."""

    def __init__(self, left: object, right: object) -> None:
        self.left, self.right = left, right


def arrived(encoded: Encoded, seal: Sealer | None = SEAL) -> object:
    return decode(encoded.envelope, [memoryview(bytearray(buffer)) for buffer in encoded.buffers], seal=seal)


@pytest.fixture
def unpickled(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What reached pickle."""
    seen: list[bytes] = []
    monkeypatch.setattr(sealing.pickle, "loads", lambda data, **_: seen.append(data))
    return seen


def test_what_the_codec_does_not_know_travels_alone_and_inside_what_it_knows() -> None:
    found = arrived(encode({"pairs": [Pair(1, (2,)), Fraction(1, 3)], "f": lambda x: x + 1}, seal=SEAL))
    assert isinstance(found, dict)
    assert (found["pairs"][0].left, found["pairs"][0].right, found["pairs"][1]) == (1, (2,), Fraction(1, 3))
    assert found["f"](1) == 2


def test_values_that_the_codec_knows_are_written_as_without_a_key() -> None:
    value = {"a": [1, 2.5, (None, b"x")], "b": np.arange(5)}
    assert encode(value, seal=SEAL).envelope == encode(value).envelope


def test_large_arrays_inside_lie_beside_the_pickle_and_are_writable() -> None:
    array = np.asfortranarray(np.arange(LARGE, dtype=np.uint8).reshape(250, 400))
    encoded = encode(Pair(array, array[:3].copy()), seal=SEAL)
    assert [buffer.nbytes for buffer in encoded.buffers] == [LARGE]
    assert len(encoded.envelope) < LARGE / 10
    found = arrived(encoded)
    assert isinstance(found, Pair)
    assert (found.left == array).all()
    assert found.left.flags.f_contiguous
    assert found.left.flags.writeable


def test_a_reference_may_stand_for_a_large_array_inside() -> None:
    array = np.asfortranarray(np.ones((250, 100)))
    ref: Ref[object] = Ref("0" * 32, array.nbytes, lambda _: None)
    sealed = SEAL.sealed(Pair(array, 1), lambda found: ref if found is array else found)
    encoded = encode([sealed], takes_refs=True)
    assert encoded.refs == (ref,)
    stored = array.tobytes(order="A")
    (found,) = decode(encoded.envelope, objects=lambda _: np.frombuffer(stored, np.uint8), seal=SEAL)
    assert (found.left == 1).all()
    assert not found.left.flags.writeable


def test_what_cannot_be_pickled_is_named_with_its_place() -> None:
    with pytest.raises(EncodeError, match="not even pickled") as caught:
        encode([Pair(1, 2), {"lock": threading.Lock()}], seal=SEAL)
    assert caught.value.path == "[1]['lock']"


def test_without_a_key_the_error_says_that_one_would_help() -> None:
    with pytest.raises(EncodeError, match="farpool key --new"):
        encode(Pair(1, 2))
    with pytest.raises(EncodeError, match="no key"):
        encode(Pair(1, 2), seal=Sealer(None))


def test_nothing_is_unpickled_that_another_key_signed_or_where_no_key_is(unpickled: list[bytes]) -> None:
    encoded = encode(Pair(1, 2), seal=SEAL)
    for seal, error in ((Sealer(SigningKey("o" * 43)), CodeNotTrustedError), (Sealer(None), CodeNotTrustedError)):
        with pytest.raises(error):
            arrived(encoded, seal)
    with pytest.raises(DecodeError):
        arrived(encoded, None)
    assert unpickled == []


def test_a_changed_pickle_is_refused(unpickled: list[bytes]) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    signed = SEAL.sealed(Pair(1, 2)).signed
    for _ in range(500):
        damaged = bytearray(signed)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        with pytest.raises(CodeNotTrustedError):
            SEAL.opened(Sealed(bytes(damaged)))
    assert unpickled == []


def test_what_is_signed_for_a_function_is_no_value(unpickled: list[bytes]) -> None:
    from farpool_common.by_value import code_of, sealed

    key = SigningKey("k" * 43)
    code = code_of(lambda: 1, key)
    with pytest.raises(CodeNotTrustedError):
        SEAL.opened(Sealed(sealed(key, "task", "queue", code.body) + code.body))
    assert unpickled == []
