"""Large buffers on a real server: whatever answers come instead, the error is typed and the next move works."""

import os

import pytest
from restartable import restartable

from farpool_common.broker import Payloads
from farpool_common.broker.connection import connect
from farpool_common.errors import (
    DecodeError,
    ResultExpiredError,
    ServerBusyError,
    ServerUnreachableError,
    SpoiledKeyError,
)
from farpool_common.keys import Keys
from farpool_common.payload import PIECE_BYTES

LARGE = 40 * PIECE_BYTES + 5


@pytest.fixture
def payloads(server):
    client = connect(server.url, bulk=True)
    found = Payloads(client, Keys(), "the server")
    yield found
    found.close()
    client.close()


@pytest.fixture
def content():
    return memoryview(os.urandom(LARGE))


@pytest.fixture
def part(payloads, content):
    (part,) = payloads.store("owner", [content])
    return part


def test_more_pieces_than_are_on_their_way_at_once_arrive_in_order(payloads, part, content):
    assert payloads.fetch(part) == content


@pytest.mark.parametrize("piece", [0, 7, 8, 40])
def test_a_piece_that_is_gone_is_said_and_the_next_fetch_works(payloads, part, client, content, piece):
    key = list(part.piece_keys())[piece]
    value = client.getdel(key)
    with pytest.raises(ResultExpiredError, match=f"{key}"):
        payloads.fetch(part)
    client.set(key, value)
    assert payloads.fetch(part) == content


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES + 1, 5 * PIECE_BYTES])
def test_a_piece_of_another_size_is_an_error_and_the_next_fetch_works(payloads, part, client, content, size):
    key = list(part.piece_keys())[3]
    value = client.getset(key, b"x" * size)
    with pytest.raises(DecodeError, match="noted for it"):
        payloads.fetch(part)
    client.set(key, value)
    assert payloads.fetch(part) == content


def test_a_piece_with_other_content_is_damage(payloads, part, client):
    client.setrange(list(part.piece_keys())[-1], 2, b"x")
    client.setrange(next(iter(part.piece_keys())), 99, b"\0\1\2\3")
    with pytest.raises(DecodeError, match="checksum"):
        payloads.fetch(part)


def test_a_piece_that_is_no_string_is_an_error_and_the_next_fetch_works(payloads, part, client, content):
    key = list(part.piece_keys())[3]
    value = client.getdel(key)
    client.lpush(key, "x")
    with pytest.raises(SpoiledKeyError, match="another type of key"):
        payloads.fetch(part)
    client.delete(key)
    client.set(key, value)
    assert payloads.fetch(part) == content


def test_a_full_server_is_busy_and_takes_the_buffer_later(payloads, content, client):
    client.config_set("maxmemory", client.info("memory")["used_memory"] + LARGE // 2)
    try:
        with pytest.raises(ServerBusyError):
            payloads.store("owner", [content])
    finally:
        client.config_set("maxmemory", 0)
    (part,) = payloads.store("owner", [content])
    assert payloads.fetch(part) == content


def test_a_server_that_is_gone_is_an_outage_and_the_next_server_is_used(tmp_path, content):
    with restartable(tmp_path) as server:
        client = connect(server.url, bulk=True, timeout=2.0)
        payloads = Payloads(client, Keys(), "the server")
        (part,) = payloads.store("owner", [content])
        server.kill()
        with pytest.raises(ServerUnreachableError):
            payloads.fetch(part)
        with pytest.raises(ServerUnreachableError):
            payloads.store("owner", [content])
        server.start()
        (part,) = payloads.store("owner", [content])
        assert payloads.fetch(part) == content
        payloads.close()
        client.close()


def test_buffers_pass_through_a_client_with_redis_pys_own_settings(server, content):
    import redis

    for options in ({}, {"protocol": 3}, {"decode_responses": True}):
        client = redis.Redis.from_url(server.url, **options)
        payloads = Payloads(client, Keys(), "the server")
        (part,) = payloads.store("owner", [content])
        assert payloads.fetch(part) == content
        client.close()


def test_a_piece_takes_no_more_of_the_servers_memory_than_a_mebibyte(payloads, part, client):
    key = next(iter(part.piece_keys()))
    assert client.memory_usage(key) <= 1024 * 1024 + 200
