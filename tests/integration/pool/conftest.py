"""Every test here must leave no process and no open file."""

import gc
import os
from contextlib import suppress

import psutil
import pytest
from pool_driver import Driver

from farpool_worker.pool.forkserver import Launcher


@pytest.fixture(scope="session", autouse=True)
def template():
    """Keeps the template process between tests: starting it takes longer than most of them."""
    launcher = Launcher("forkserver")
    with Driver(1) as driver:
        driver.wait_idle()
    yield
    launcher.close()


@pytest.fixture(autouse=True)
def leaves_no_process_and_no_file(template):
    """Compares before and after."""
    before = _census()
    yield
    assert _census() == before


@pytest.fixture
def driver():
    """A pool with two children."""
    with Driver() as found:
        yield found


def _census():
    gc.collect()  # what other tests of this process left to the collector is not ours
    processes = {child.pid for child in psutil.Process().children(recursive=True)}
    return processes, sorted(_open_files())


def _open_files():
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            yield os.readlink(f"/proc/self/fd/{fd}")
