"""`rq worker -w farpool_worker.PoolWorker`, as RQ's users would start it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pool_workers import pool_worker
from rq import Queue

from farpool.embedded import Server


@pytest.fixture(scope="session")
def examples(temporary_folder: Path, standing_pids: set[int]) -> Iterator[Server]:
    """A server with one worker for most examples."""
    with Server() as server, pool_worker(server.url, "--with-scheduler", "high", "default") as worker:
        server.worker = worker
        standing_pids.add(worker.process.pid)
        yield server


@pytest.fixture
def standing(examples: Server, standing_pids: set[int]) -> set[int]:
    """The worker replaces processes of jobs that are killed."""
    return standing_pids


@pytest.fixture
def connection(examples: Server) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(examples.url) as found:
        yield found


@pytest.fixture
def queue(connection: redis.Redis) -> Queue:
    return Queue(connection=connection)


@pytest.fixture
def other(shared_server: Server) -> Iterator[redis.Redis]:
    """A server without a worker, for examples that start their own."""
    with redis.Redis.from_url(shared_server.url) as found:
        found.flushall()
        found.url = shared_server.url
        yield found
