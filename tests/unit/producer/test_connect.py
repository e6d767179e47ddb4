"""Which server an executor uses."""

import socket
import sys
import types
from collections.abc import Iterator

import pytest

from farpool import SettingsError
from farpool.client import connect
from farpool_common.signing import SigningKey


@pytest.fixture
def localhost(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Something that listens where the default address points."""
    with socket.create_server(("localhost", 0)) as listening:
        url = f"redis://localhost:{listening.getsockname()[1]}/0"
        monkeypatch.setattr("farpool_common.address.DEFAULT_URL", url)
        yield listening


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instead of an embedded pool; the list says how often one was started."""
    started: list[str] = []

    def process_pool() -> types.SimpleNamespace:
        started.append("started")
        return types.SimpleNamespace(url="unix:///run/embedded.sock", key=SigningKey("p" * 43))

    monkeypatch.setitem(sys.modules, "farpool.embedded", types.SimpleNamespace(process_pool=process_pool))
    return started


@pytest.mark.parametrize("raw", ["x", "0", "-1", "nan", "inf", "100000"])
def test_a_lease_that_is_no_time_is_refused(raw):
    with pytest.raises(SettingsError, match="FARPOOL_SHARED_SECONDS"):
        connect.lease_seconds({"FARPOOL_SHARED_SECONDS": raw})


def test_a_lease_is_what_the_environment_says_or_fifteen_seconds():
    assert [connect.lease_seconds(e) for e in ({}, {"FARPOOL_SHARED_SECONDS": "0.5"})] == [15.0, 0.5]


def test_the_argument_wins_over_the_environment() -> None:
    server = connect.find_server("redis://one:1/0", {"FARPOOL_URL": "redis://two:2/0"})
    assert (server.url, server.place, server.prefix) == ("redis://one:1/0", "redis://one:1/0", "rq")


def test_the_environment_wins_over_localhost() -> None:
    server = connect.find_server(None, {"REDIS_URL": "redis://two:2/0", "RQ_KEY_PREFIX": "mine"})
    assert (server.url, server.prefix) == ("redis://two:2/0", "mine")


def test_no_password_shows() -> None:
    server = connect.find_server("redis://me:secret@one:1/0", {})
    assert "secret" not in f"{server} {server.place}"


def test_a_server_on_localhost_is_used(localhost: socket.socket, embedded: list[str]) -> None:
    server = connect.find_server(None, {})
    assert (server.url, embedded) == (f"redis://localhost:{localhost.getsockname()[1]}/0", [])


def test_without_any_server_one_is_started(localhost: socket.socket, embedded: list[str]) -> None:
    localhost.close()
    found = connect.find_server(None, {})
    assert (found.url, found.key) == ("unix:///run/embedded.sock", SigningKey("p" * 43))
    assert embedded == ["started"]


def test_the_key_of_a_pool_is_for_the_server_of_that_pool_only(localhost: socket.socket) -> None:
    environ = {"FARPOOL_URL": "unix:///run/pool.sock", "FARPOOL_POOL_KEY": "p" * 43}
    assert connect.find_server(None, environ).key == SigningKey("p" * 43, "FARPOOL_POOL_KEY")
    assert connect.find_server("redis://elsewhere/0", environ).key is None
    assert connect.find_server(None, {"REDIS_URL": "redis://a/0", "FARPOOL_POOL_KEY": "p" * 43}).key is None
    assert "ppp" not in repr(connect.find_server(None, environ))


def test_a_url_that_answers_nothing_is_not_replaced(localhost: socket.socket, embedded: list[str]) -> None:
    localhost.close()
    url = f"redis://localhost:{1}/0"
    assert (connect.find_server(url, {}).url, embedded) == (url, [])


def test_a_url_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(SettingsError):
        connect.find_server("http://somewhere", {})
