"""Fixtures for every folder: a real server, and the check that nothing is left behind."""

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import redis

from farpool.embedded import Server
from farpool_common.broker import connect

SUPPORT = Path(__file__).parent / "support"
sys.path.insert(0, str(SUPPORT))  # functions that tests send to workers live there
sys.path.append(str(SUPPORT.parent.parent))  # what tests and benchmarks share is in `bench`


def pytest_report_header() -> str:
    """Whether tests of several hosts are among those that run."""
    if os.geteuid() == 0:
        return "several hosts: in network namespaces"
    return "several hosts: NOT TESTED, for only root may make network namespaces (tests/chaos/hosts)"


@pytest.fixture(scope="session", autouse=True)
def temporary_folder() -> Iterator[Path]:
    """A temporary folder for this test process and all that it starts, so that leftovers are ours alone.

    Its path is short: sockets lie in it, and the kernel takes 107 bytes for one.
    """
    folder, before = Path(tempfile.mkdtemp(prefix="fp")), os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    yield folder
    tempfile.tempdir = None
    os.environ.pop("TMPDIR")
    if before is not None:
        os.environ["TMPDIR"] = before
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def shared_server(temporary_folder: Path) -> Iterator[Server]:
    """One server for all tests of this process that leave it running."""
    with Server() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Iterator[Server]:
    """A running server without any key."""
    client = connect(shared_server.url)
    client.flushall()
    yield shared_server
    client.config_set("maxmemory-policy", "noeviction")
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


def descendants(without: Collection[int] = ()) -> set[psutil.Process]:
    """All live processes below this one, but for some and what is below them."""
    found: set[psutil.Process] = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it ends while we look
            if child.pid not in without and child.status() != psutil.STATUS_ZOMBIE:
                found |= {child, *child.children(recursive=True)}
    return found


@pytest.fixture(scope="session")
def standing_pids() -> set[int]:
    """Processes that stand for the whole session and may replace their children; whoever starts one adds it."""
    return set()


@pytest.fixture
def standing(standing_pids: set[int]) -> set[int]:
    """The same, when those that a folder's tests need have been started."""
    return standing_pids


@pytest.fixture
def leaves_nothing(shared_server: Server, standing: set[int], temporary_folder: Path) -> Iterator[None]:
    """Fails the test when it leaves a process or something in the temporary folder."""
    files, processes = set(temporary_folder.iterdir()), descendants(standing)
    yield
    _, alive = psutil.wait_procs(descendants(standing) - processes, 10)
    assert not alive, f"processes left: {[(process.pid, process.cmdline()) for process in alive]}"
    deadline = time.monotonic() + 10  # what killed processes leave is removed by their survivors
    while not set(temporary_folder.iterdir()) <= files and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set(temporary_folder.iterdir()) <= files
