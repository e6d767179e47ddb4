"""pytest's plugin: fixtures for tests of code that submits to an executor.

pytest loads this module in every run where farpool is installed, so what it needs is imported by the fixtures.
"""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from farpool.eager import EagerExecutor
    from farpool.embedded import LocalPool
    from farpool.executor import Executor

SLOTS = 2
"""Of the session's pool: enough for calls to meet each other."""


@pytest.fixture
def farpool_eager() -> "Iterator[EagerExecutor]":
    """An executor without server or processes.  A call runs when it is submitted; what could not travel fails."""
    from farpool.eager import EagerExecutor

    with EagerExecutor() as executor:
        yield executor


@pytest.fixture(scope="session")
def farpool_pool() -> "Iterator[LocalPool]":
    """A server and a worker daemon for this session; the daemon imports from wherever the tests do."""
    from farpool.embedded import LocalPool

    environ = os.environ | {"PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)}
    with LocalPool([("testing", SLOTS)], environ=environ) as pool:
        yield pool


@pytest.fixture
def farpool_cluster(farpool_pool: "LocalPool") -> "Iterator[Executor]":
    """An executor of this test's own on the session's pool.  What it left running is cancelled."""
    from farpool import Executor

    executor = Executor(farpool_pool.url)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
