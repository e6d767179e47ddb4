"""Stored objects on a real server: owners, expiry, and keys that somebody spoiled."""

import numpy as np
import pytest

from farpool_common.broker import StoredObjects, connect
from farpool_common.codec import decode, encode
from farpool_common.errors import DecodeError, ObjectExpiredError, ServerError
from farpool_common.keys import Keys

KEYS = Keys()
ARRAY = np.arange(400_000.0)


@pytest.fixture
def objects(server):
    found = StoredObjects(connect(server.url, bulk=True), KEYS, "here")
    yield found
    found.close()


@pytest.fixture
def stored(objects):
    encoded = encode(ARRAY)
    found = objects.described(encoded)
    objects.store(found, encoded, "me", 60)
    return found


def test_an_object_is_its_head_its_pieces_and_its_owners_and_all_expire(objects, stored, client):
    head = KEYS.object(stored.id)
    expected = {head, KEYS.owners(stored.id), f"{head}:0:0", *(f"{head}:1:{piece}" for piece in range(4))}
    assert set(client.keys()) == {key.encode() for key in expected}
    assert all(0 < client.ttl(key) <= 60 for key in expected)
    assert objects.find(stored.id) == stored
    envelope, *buffers = objects.fetch(stored.id)
    assert np.array_equal(decode(envelope, buffers), ARRAY)


def test_the_same_content_has_the_same_id_and_is_written_once(objects, stored, client):
    again = encode(ARRAY.copy())
    assert objects.described(again) == stored
    before = client.info("stats")["total_net_input_bytes"]
    objects.store(stored, again, "other", 60)
    assert client.info("stats")["total_net_input_bytes"] - before < 10_000
    assert objects.described(encode(ARRAY + 1)).id != stored.id


def test_the_last_owner_removes_it(objects, stored, client):
    objects.store(stored, encode(ARRAY), "other", 60)
    objects.release(stored, "me")
    assert objects.gone([stored.id, "f" * 32]) == ["f" * 32]
    objects.release(stored, "stranger")
    assert objects.gone([stored.id]) == []
    objects.release(stored, "other")
    assert client.keys() == []


def test_an_owner_that_enters_while_another_leaves_keeps_it(objects, stored, client, monkeypatch):
    """The one that leaves has seen that it is the last; before it acts, the other comes."""
    smembers, came = type(objects._client.pipeline()).smembers, []

    def seen(pipeline, key):
        found = smembers(pipeline, key)
        if not came:
            came.append(client.sadd(KEYS.owners(stored.id), "other"))
        return found

    monkeypatch.setattr(type(objects._client.pipeline()), "smembers", seen)
    objects.release(stored, "me")
    assert objects.gone([stored.id]) == []
    assert client.smembers(KEYS.owners(stored.id)) == {b"other"}


def test_an_object_of_which_a_piece_is_gone_is_written_again(objects, stored, client):
    client.delete(f"{KEYS.object(stored.id)}:1:2")
    assert not objects.renew(stored, 60)
    with pytest.raises(ObjectExpiredError):
        objects.fetch(stored.id)
    objects.store(stored, encode(ARRAY), "me", 60)
    assert objects.renew(stored, 60)
    assert len(objects.fetch(stored.id)) == 2


def test_renewing_lets_all_of_it_live_longer(objects, stored, client):
    assert objects.renew(stored, 600)
    assert all(client.ttl(key) > 60 for key in client.keys("*"))


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda client, head: client.delete(head), ObjectExpiredError),
        (lambda client, head: client.delete(f"{head}:1:0"), ObjectExpiredError),
        (lambda client, head: client.set(head, b"\xc1"), DecodeError),
        (lambda client, head: client.set(head, b"\x90"), DecodeError),
        (lambda client, head: client.set(head, b"\x91\x01"), DecodeError),
        (lambda client, head: client.set(head, b"\x91\x92\xcf" + b"\x00" * 2 + b"\xff" * 6 + b"\x00"), DecodeError),
        (lambda client, head: client.append(f"{head}:1:0", "x"), DecodeError),
        (lambda client, head: client.setrange(f"{head}:1:0", 5, "xxxx"), DecodeError),
        (lambda client, head: (client.delete(f"{head}:1:1"), client.rpush(f"{head}:1:1", "x")), ServerError),
        (lambda client, head: (client.delete(head), client.rpush(head, "x")), ServerError),
    ],
)
def test_what_is_gone_or_spoiled_is_said(objects, stored, client, spoil, error):
    spoil(client, KEYS.object(stored.id))
    with pytest.raises(error):
        objects.fetch(stored.id)
    assert objects.gone([stored.id]) in ([], [stored.id])  # the connection is as good as new


def test_a_reader_that_stops_early_leaves_its_connection_in_order(objects, stored):
    class EnoughError(Exception):
        pass

    def write(number, piece, offset):
        raise EnoughError

    with pytest.raises(EnoughError):
        objects.read(stored, write)
    assert len(objects.fetch(stored.id)) == 2
