"""RQ's own worker on the same queue: it runs our tasks, and their futures resolve."""

import os
import subprocess
import sys
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import tasks
from daemons import wait_for

from farpool import Executor, RemoteError
from farpool.client import watch
from farpool_common.broker import connect

SUPPORT = Path(tasks.__file__).parent


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch):
    """Silent tasks are looked at four times a second."""
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.25)


def stock_worker(url: str) -> None:
    """`rq worker --burst` with our serializer."""
    command = [sys.executable, "-m", "rq.cli", "worker", "-S", "farpool.Serializer", "-u", url, "--burst", "default"]
    environ = os.environ | {"PYTHONPATH": str(SUPPORT)}
    subprocess.run(command, cwd=SUPPORT, env=environ, check=True, capture_output=True, timeout=60)


def test_a_stock_rq_worker_runs_submits_maps_arrays_and_failures(server):
    with Executor(server.url) as executor, connect(server.url) as client:
        array = np.arange(50_000.0)
        results = executor.map(tasks.square, range(10), chunksize=5)
        doubled, failing = executor.submit(tasks.doubled, array), executor.submit(tasks.fails, "no good")
        wait_for(lambda: client.llen("rq:queue:default") == 4)
        stock_worker(server.url)
        assert list(results) == [n * n for n in range(10)]
        assert np.array_equal(doubled.result(30), array * 2)
        with pytest.raises(ValueError, match="no good"):
            failing.result(30)
        wait_for(lambda: client.keys("rq:farpool:data:*") == [])


def test_a_task_that_rq_fails_as_a_whole_fails_its_future_with_rqs_traceback(server, monkeypatch):
    with Executor(server.url) as executor, connect(server.url) as client:
        future = executor.submit(tasks.square, 3)
        wait_for(lambda: client.llen("rq:queue:default") == 1)
        (job,) = client.keys("rq:job:*")
        client.hset(job, "data", client.hget(job, "data").replace(b"tasks:square", b"tasks:absent"))
        stock_worker(server.url)
        error = future.exception(30)
        assert isinstance(error, RemoteError)
        assert "absent" in error.traceback


def test_a_stock_rq_worker_finds_what_many_calls_share(server):
    big = np.arange(500_000.0)
    with Executor(server.url) as executor, connect(server.url) as client:
        results = executor.map(tasks.takes_two, repeat(big), range(6), chunksize=3)
        wait_for(lambda: client.llen("rq:queue:default") == 2)
        stock_worker(server.url)
        assert list(results) == [(False, big[n] * n) for n in range(6)]


def test_a_stock_rq_worker_runs_a_function_by_value_with_its_own_key_only(server, monkeypatch):
    monkeypatch.setenv("FARPOOL_KEY", "k" * 43)
    with Executor(server.url) as executor, connect(server.url) as client:
        squared = executor.submit(lambda x: x * x, 7)
        wait_for(lambda: client.llen("rq:queue:default") == 1)
        stock_worker(server.url)
        assert squared.result(30) == 49
        refused = executor.submit(lambda x: -x, 7)
        wait_for(lambda: client.llen("rq:queue:default") == 1)
        monkeypatch.delenv("FARPOOL_KEY")
        stock_worker(server.url)
        error = refused.exception(30)
        assert isinstance(error, RemoteError)
        assert "CodeNotTrustedError: this worker has no key" in error.traceback
