"""Servers that tasks may not be entrusted to, and what is said of them."""

from typing import Any

import pytest

from farpool_common.broker import check_server
from farpool_common.errors import ServerUnsuitableError


class Server:
    """Answers INFO as a server of some version does."""

    def __init__(self, policy: str = "noeviction", **versions: str) -> None:
        self._info = {"server": versions, "memory": {"maxmemory_policy": policy}}

    def info(self, section: str) -> dict[str, Any]:
        return dict(self._info[section])


@pytest.mark.parametrize(
    ("versions", "shown"),
    [
        ({"redis_version": "7.0.0"}, "redis 7.0.0"),
        ({"redis_version": "8.2.1"}, "redis 8.2.1"),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, "valkey 9.1.2"),
    ],
)
def test_servers_with_script_flags_are_taken(versions, shown):
    assert check_server(Server(**versions), "here") == shown  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["6.0.16", "6.2.14", "5.0", "unknown"])
def test_a_server_that_is_too_old_is_named_with_what_is_needed(version):
    with pytest.raises(ServerUnsuitableError, match=rf"here runs redis {version}, .*needs redis 7\.0 or later"):
        check_server(Server(redis_version=version), "here")  # type: ignore[arg-type]


def test_a_server_that_may_evict_tasks_is_refused_with_the_command_that_helps():
    server = Server(policy="volatile-lru", redis_version="7.4.0")
    with pytest.raises(ServerUnsuitableError, match="CONFIG SET maxmemory-policy noeviction"):
        check_server(server, "here")  # type: ignore[arg-type]


def test_eviction_can_be_accepted():
    server = Server(policy="volatile-lru", redis_version="7.4.0")
    assert check_server(server, "here", allow_eviction=True) == "redis 7.4.0"  # type: ignore[arg-type]
