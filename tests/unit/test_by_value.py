"""Functions by value: what is refused before anything is unpickled."""

import random
from pathlib import Path

import msgpack
import pytest

from farpool_common import by_value, signing
from farpool_common.by_value import CALLS, INITIALIZER, Code, Loader, code_of
from farpool_common.errors import CodeNotTrustedError, DecodeError, PythonVersionError, SettingsError
from farpool_common.signing import LIFETIME_SECONDS, SigningKey, key_from

KEY = SigningKey("k" * 43)


@pytest.fixture
def signed() -> bytes:
    return code_of(lambda x: x + 1, KEY).signed(CALLS)


@pytest.fixture
def unpickled(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What reached cloudpickle."""
    seen: list[bytes] = []
    monkeypatch.setattr(by_value.cloudpickle, "loads", seen.append)
    return seen


def test_a_function_comes_back_once_and_with_its_label(signed: bytes) -> None:
    loader = Loader(KEY)
    label, function = loader.load(CALLS, signed)
    assert "<lambda>" in label
    assert function(1) == 2
    assert loader.load(CALLS, signed)[1] is function


def test_another_key_another_purpose_or_no_key_is_refused(signed: bytes, unpickled: list[bytes]) -> None:
    for loader, purpose in ((Loader(SigningKey("o" * 43)), CALLS), (Loader(KEY), INITIALIZER), (Loader(None), CALLS)):
        with pytest.raises(CodeNotTrustedError):
            loader.load(purpose, signed)
    assert unpickled == []


def test_whatever_is_changed_is_refused(signed: bytes, unpickled: list[bytes]) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(2000):
        damaged = bytearray(signed)
        match chance.randrange(3):
            case 0:
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            case 1:
                del damaged[chance.randrange(len(damaged)) :]
            case _:
                damaged.insert(chance.randrange(len(damaged) + 1), chance.randrange(256))
        if bytes(damaged) == signed:
            continue
        with pytest.raises(CodeNotTrustedError):
            Loader(KEY).load(CALLS, bytes(damaged))
    assert unpickled == []


def test_an_old_signature_is_refused(signed: bytes, unpickled: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    late = signing.time.time() + LIFETIME_SECONDS + 2
    monkeypatch.setattr(signing.time, "time", lambda: late)
    with pytest.raises(CodeNotTrustedError, match="out of date"):
        Loader(KEY).load(CALLS, signed)
    assert unpickled == []


def test_another_python_is_refused(unpickled: list[bytes]) -> None:
    code = Code("m.f", msgpack.packb([1, "3.1", "m.f", b"\x80"]), KEY)
    with pytest.raises(PythonVersionError, match=r"Python 3\.1,"):
        Loader(KEY).load(CALLS, code.signed(CALLS))
    assert unpickled == []


def test_a_signed_body_of_another_form_is_refused(unpickled: list[bytes]) -> None:
    with pytest.raises(DecodeError):
        Loader(KEY).load(CALLS, KEY.signed(CALLS, msgpack.packb([2])))
    assert unpickled == []


def test_the_key_shows_nowhere() -> None:
    code = code_of(lambda: 1, KEY)
    assert KEY.secret not in repr(KEY) + str(KEY) + repr(code)


def test_where_a_key_is_found(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"FARPOOL_KEY={'f' * 43}\n")
    assert key_from({}) is None
    assert key_from({"FARPOOL_KEY": " "}) is None
    for environ, first in (({"FARPOOL_KEY_FILE": str(file)}, "f"), ({"FARPOOL_KEY": "e" * 43}, "e")):
        found = key_from(environ)
        assert found is not None
        assert found.secret == first * 43
    for environ in ({"FARPOOL_KEY": "short"}, {"FARPOOL_KEY_FILE": str(tmp_path / "none")}):
        with pytest.raises(SettingsError, match="FARPOOL_KEY"):
            key_from(environ)
