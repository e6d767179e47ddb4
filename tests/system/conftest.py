"""Every system test runs against a real server and real daemons, and must leave nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import Daemon, daemons

from farpool import Executor
from farpool.embedded import Server
from farpool_common.broker import balance, connect
from farpool_common.keys import Keys


@pytest.fixture(scope="session")
def standing_host(tmp_path_factory: pytest.TempPathFactory, standing_pids: set[int]) -> Iterator[Daemon]:
    """One daemon with two slots, for tests that do it no harm."""
    with (
        Server() as server,
        daemons(server.url, tmp_path_factory.mktemp("host"), "host1", options=("-c", "2")) as found,
    ):
        standing_pids.add(found[0].pid)
        yield found[0]


@pytest.fixture
def standing(standing_host: Daemon, standing_pids: set[int]) -> set[int]:
    """The standing daemon replaces children that tests kill."""
    return standing_pids


@pytest.fixture(autouse=True)
def _nothing_is_left(standing_host: Daemon, leaves_nothing: None) -> None:
    """See `leaves_nothing`."""


@pytest.fixture(autouse=True)
def _books_balance(standing_host: Daemon, shared_server: Server) -> Iterator[None]:
    """Whatever a test did to daemons and servers, every lease is accounted for afterwards."""
    yield
    for url in (standing_host.url, shared_server.url):
        with connect(url) as client:
            books = balance(client, Keys(), url)
        assert books.missing == 0, str(books)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A file for tasks to note what they did."""
    return tmp_path / "journal"


@pytest.fixture
def host(standing_host: Daemon) -> Daemon:
    """The standing daemon."""
    return standing_host


@pytest.fixture
def executor(host: Daemon) -> Iterator[Executor]:
    """An executor on that daemon."""
    with Executor(host.url) as found:
        yield found
