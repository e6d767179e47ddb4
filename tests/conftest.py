"""Fixtures for every folder: a real server, and the check that nothing is left behind."""

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from farpool.embedded import Server
from farpool_common.broker import connect

SUPPORT = Path(__file__).parent / "support"
sys.path.insert(0, str(SUPPORT))  # functions that tests send to workers live there


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """One server for all tests of this process that leave it running."""
    with Server() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """A running server without any key."""
    client = connect(shared_server.url)
    client.flushall()
    client.config_set("maxmemory-policy", "noeviction")
    yield shared_server
    client.close()


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    """A raw client of the server, to look at and to spoil keys."""
    with connect(server.url) as found:
        yield found


@pytest.fixture
def seed() -> int:
    """The seed of this test's random choices, printed so that a failure can be repeated."""
    chosen = int(os.environ.get("FARPOOL_TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {chosen} (set FARPOOL_TEST_SEED to repeat)")
    return chosen


def descendants() -> set[int]:
    """Pids of all live processes below this one."""
    return {child.pid for child in psutil.Process().children(recursive=True) if child.status() != "zombie"}


@pytest.fixture
def leaves_nothing(shared_server: Server) -> Iterator[None]:
    """Fails the test when it leaves a process or a temporary directory."""
    folders = set(Path("/tmp").glob("farpool*"))
    processes = descendants()
    yield
    _, alive = psutil.wait_procs(
        [psutil.Process(pid) for pid in descendants() - processes if psutil.pid_exists(pid)], 5
    )
    assert not alive, f"processes left: {alive}"
    assert set(Path("/tmp").glob("farpool*")) <= folders
