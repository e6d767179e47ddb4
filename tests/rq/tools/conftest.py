"""A queue with jobs in every state, served by RQ's own worker or by our daemon."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import stock
from daemons import Daemon, daemons, wait_for
from rq import Queue
from rq.job import Job

from farpool.embedded import Server


@dataclass
class Scene:
    """Jobs by the state they are in, and what serves them."""

    url: str
    connection: redis.Redis
    queue: Queue
    jobs: dict[str, Job]
    worker: str
    daemon: Daemon | None = None


@contextmanager
def served(server: Server, by: str, folder: Path) -> Iterator[Scene]:
    """One worker of a kind, a job running in it, and others in all states."""
    connection = redis.Redis.from_url(server.url)
    connection.flushall()
    queue = Queue("default", connection=connection)
    with _worker(server.url, by, folder) as daemon:
        wait_for(lambda: stock.is_listening(connection))
        jobs = {name: queue.enqueue(function, job_id=name) for name, function in ENDING.items()}
        wait_for(lambda: jobs["finished"].is_finished and jobs["failed"].is_failed)
        jobs["started"] = queue.enqueue(stock.lasts, job_id="started")
        wait_for(lambda: jobs["started"].is_started)
        jobs["deferred"] = queue.enqueue(stock.lasts, job_id="deferred", depends_on=jobs["started"])
        jobs["scheduled"] = queue.enqueue_in(timedelta(hours=1), stock.lasts, job_id="scheduled")
        jobs["queued"] = queue.enqueue(stock.lasts, job_id="queued")
        time.sleep(0.4)  # a daemon may have taken it ahead; it gives back what it cannot begin within 50 ms
        name = connection.smembers("rq:workers").pop().decode().removeprefix("rq:worker:")
        yield Scene(server.url, connection, queue, jobs, name, daemon)
    connection.close()


ENDING = {"finished": stock.quick, "failed": stock.raises}


@contextmanager
def _worker(url: str, by: str, folder: Path) -> Iterator[Daemon | None]:
    if by == "rq":
        with stock.rq_worker(url, "default"):
            yield None
    else:
        with daemons(url, folder, "ours", options=("-c", "1", *stock.AS_RQ)) as (daemon,):
            yield daemon


@pytest.fixture(params=["rq", "farpool"])
def scene(request, server, tmp_path) -> Iterator[Scene]:
    """The same for both kinds of worker."""
    with served(server, request.param, tmp_path) as found:
        yield found


@pytest.fixture
def ours(server, tmp_path) -> Iterator[Scene]:
    with served(server, "farpool", tmp_path) as found:
        yield found
