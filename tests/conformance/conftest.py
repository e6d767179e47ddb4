"""Each test of this folder that asks for `tools` runs twice: on the standard library's own, and on farpool's."""

import concurrent.futures
import multiprocessing
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from daemons import Daemon, daemons

import farpool
from farpool import executors
from farpool.embedded import Server

SLOTS = 4
"""More than any test has running at once."""


class Standard:
    """The standard library's."""

    is_farpool = False
    Process = staticmethod(multiprocessing.Process)
    Pool = staticmethod(partial(multiprocessing.Pool, SLOTS))
    Executor = staticmethod(partial(concurrent.futures.ProcessPoolExecutor, SLOTS))
    as_completed, wait = staticmethod(concurrent.futures.as_completed), staticmethod(concurrent.futures.wait)


class Farpool:
    """Ours."""

    is_farpool = True
    Process = staticmethod(farpool.Process)
    Pool = staticmethod(partial(farpool.Pool, SLOTS))
    Executor = staticmethod(farpool.Executor)
    as_completed, wait = staticmethod(farpool.as_completed), staticmethod(farpool.wait)


@pytest.fixture(scope="session")
def program_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where programs lie whose functions the daemon runs."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="session")
def standing_host(
    tmp_path_factory: pytest.TempPathFactory, standing_pids: set[int], program_folder: Path
) -> Iterator[Daemon]:
    """One daemon for the whole session, which runs any function, as an embedded one; it replaces processes that tests
    kill."""
    folder, options = tmp_path_factory.mktemp("host"), ("-c", str(SLOTS), "-P", str(program_folder), "--allow-any")
    with Server() as server, daemons(server.url, folder, "host1", options=options) as found:
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
def _executors_of_processes_are_over(standing_host: Daemon) -> Iterator[None]:
    """They live as long as the program, which goes on to other folders' tests here."""
    yield
    executors.shut_all()


@pytest.fixture(params=["standard", "farpool"])
def tools(request: pytest.FixtureRequest, standing_host: Daemon, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One of the two."""
    monkeypatch.setenv("FARPOOL_URL", standing_host.url)
    return Farpool if request.param == "farpool" else Standard
