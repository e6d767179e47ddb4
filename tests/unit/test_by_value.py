"""Functions by value: what is refused before anything is unpickled."""

import random
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from farpool_common import by_value, signing
from farpool_common.by_value import Loader, Warrant, code_of, sealed
from farpool_common.chunk import Chunk, Initializer, decode_chunk, encode_chunk
from farpool_common.errors import CodeNotTrustedError, DecodeError, PythonVersionError, SettingsError
from farpool_common.preparing import NO_WARRANT, Prepared, Preparer
from farpool_common.signing import LIFETIME_SECONDS, SigningKey, key_from
from farpool_common.trust import Trust

KEY = SigningKey("k" * 43)
OTHER = SigningKey("o" * 43)


@pytest.fixture
def envelope() -> bytes:
    code = code_of(lambda x: x + 1, KEY)
    return encode_chunk(Chunk(code.label, rows=[(1,)], code=code.body)).envelope


@pytest.fixture
def unpickled(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What reached cloudpickle."""
    seen: list[bytes] = []
    monkeypatch.setattr(by_value.cloudpickle, "loads", seen.append)
    return seen


def warrant(envelope: bytes, key: SigningKey = KEY) -> Warrant:
    return Warrant("task", "queue", sealed(key, "task", "queue", envelope))


def prepare(envelope: bytes, found: Warrant, key: SigningKey | None = KEY) -> Prepared:
    return Preparer(Trust(), key=key).prepare(envelope, (), found)


def test_a_function_comes_back_once_and_with_its_label(envelope: bytes) -> None:
    preparer = Preparer(Trust(), key=KEY)
    first, second = (preparer.prepare(envelope, (), warrant(envelope)) for _ in range(2))
    assert "<lambda>" in first.chunk.function
    assert first.function(1) == 2
    assert second.function is first.function


def test_another_key_another_task_another_queue_or_none_is_refused(envelope: bytes, unpickled: list[bytes]) -> None:
    good = warrant(envelope)
    for found, key in [
        (good, OTHER),
        (good, None),
        (replace(good, task_id="another"), KEY),
        (replace(good, queue="another"), KEY),
        (replace(good, task_id="taskq", queue="ueue"), KEY),
        (replace(good, seal=b""), KEY),
        (replace(good, seal=KEY.seal("another purpose", b"task", b"queue", envelope)), KEY),
    ]:
        with pytest.raises(CodeNotTrustedError):
            prepare(envelope, found, key)
    assert unpickled == []


def test_other_arguments_are_refused(envelope: bytes, unpickled: list[bytes]) -> None:
    chunk = decode_chunk(envelope)
    changed = encode_chunk(replace(chunk, rows=[(2,)])).envelope
    with pytest.raises(CodeNotTrustedError, match="changed or copied"):
        prepare(changed, warrant(envelope))
    assert unpickled == []


def test_an_initializer_by_value_needs_a_seal_too(unpickled: list[bytes]) -> None:
    start = Initializer("owner", "label", code=code_of(lambda: 1, KEY).body)
    envelope = encode_chunk(Chunk("math:sqrt", rows=[(1,)], initializer=start)).envelope
    with pytest.raises(CodeNotTrustedError):
        prepare(envelope, NO_WARRANT)
    assert unpickled == []


def test_whatever_is_changed_is_refused(envelope: bytes, unpickled: list[bytes], seed: int) -> None:
    chance, good = random.Random(seed), warrant(envelope)
    for _ in range(2000):
        of_envelope, original = (chance.random() < 0.7), envelope
        damaged = bytearray(envelope if of_envelope else good.seal)
        match chance.randrange(3):
            case 0:
                damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            case 1:
                del damaged[chance.randrange(1, len(damaged)) :]
            case _:
                damaged.insert(chance.randrange(len(damaged) + 1), chance.randrange(256))
        if bytes(damaged) in (original, good.seal):
            continue
        with pytest.raises(CodeNotTrustedError):
            prepare(*((bytes(damaged), good) if of_envelope else (envelope, replace(good, seal=bytes(damaged)))))
    assert unpickled == []


def test_an_old_signature_is_refused(envelope: bytes, unpickled: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    found = warrant(envelope)
    late = signing.time.time() + LIFETIME_SECONDS + 2
    monkeypatch.setattr(signing.time, "time", lambda: late)
    with pytest.raises(CodeNotTrustedError, match="out of date"):
        prepare(envelope, found)
    assert unpickled == []


def test_another_python_is_refused(unpickled: list[bytes]) -> None:
    with pytest.raises(PythonVersionError, match=r"Python 3\.1,"):
        Loader().load(msgpack.packb([1, "3.1", "m.f", b"\x80"]))
    assert unpickled == []


def test_a_body_of_another_form_is_refused(unpickled: list[bytes]) -> None:
    with pytest.raises(DecodeError):
        Loader().load(msgpack.packb([2]))
    assert unpickled == []


def test_keys_are_changed_one_side_after_the_other(envelope: bytes) -> None:
    """Workers learn of the new key, producers use it, the old one goes: at no time is a task refused."""
    old, new = "a" * 43, "b" * 43
    only_old, both_old_first, both_new_first, only_new = map(_from, (old, f"{old},{new}", f"{new}, {old}", new))
    for producer, worker in [
        (only_old, both_old_first),
        (both_old_first, both_old_first),
        (both_new_first, both_old_first),
        (only_new, both_new_first),
        (only_new, only_new),
    ]:
        assert prepare(envelope, warrant(envelope, producer), worker).function(1) == 2
    for producer, worker in ((only_old, only_new), (both_new_first, only_old)):
        with pytest.raises(CodeNotTrustedError):
            prepare(envelope, warrant(envelope, producer), worker)


def _from(text: str) -> SigningKey:
    found = key_from({"FARPOOL_KEY": text})
    assert found is not None
    return found


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
    file.write_text(f"# since May\n{'n' * 43}\n\nFARPOOL_KEY={'f' * 43}\n")
    assert key_from({"FARPOOL_KEY_FILE": str(file)}) == SigningKey("n" * 43, f"FARPOOL_KEY_FILE={file}", ("f" * 43,))
    empty = tmp_path / "empty"
    empty.touch()
    for environ in (
        {"FARPOOL_KEY": "short"},
        {"FARPOOL_KEY": f"{'e' * 43},short"},
        {"FARPOOL_KEY": ",".join(["e" * 43] * 9)},
        {"FARPOOL_KEY_FILE": str(tmp_path / "none")},
        {"FARPOOL_KEY_FILE": str(empty)},
    ):
        with pytest.raises(SettingsError, match="FARPOOL_KEY"):
            key_from(environ)
