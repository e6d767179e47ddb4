"""RQ's own jobs: enqueued by RQ with pickle, run by RQ's workers and by our daemon, each on all of two cores.

Jobs wait in the queue before the workers start.  Counted is the time between the first result and the last, so
that nobody pays for its start.  RQ's pool is far slower, so it gets fewer jobs; all figures are per job.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import redis
from rq import Queue

from bench.conditions import CONDITIONS
from bench.hosts import ROOT
from bench.measure import Run, alternated, measured, report
from bench.tasks import nothing
from farpool.embedded import Server

JOBS, JOBS_OF_RQS_POOL = 20_000, 1_000
BASELINE = "rq worker-pool -n 2"
PYTHON = [sys.executable, "-m"]
RQ = [*PYTHON, "rq.cli"]
FARPOOL = [*PYTHON, "farpool_worker", "--accept", "pickle,json,msgpack", "--allow-any"]


def main(rounds: int = 5) -> None:
    """Four ways to use two cores for the same queue, one of them a fleet of both kinds."""
    simple = [*RQ, "worker", "-w", "rq.SimpleWorker", "-q"]
    fleets = {
        BASELINE: (JOBS_OF_RQS_POOL, [[*RQ, "worker-pool", "-n", "2", "-q", "default"]]),
        "2 SimpleWorkers": (JOBS, [simple, simple]),
        "farpool": (JOBS, [[*FARPOOL, "-c", "2"]]),
        "SimpleWorker and farpool": (JOBS, [simple, [*FARPOOL, "-c", "1"]]),
    }
    contenders = {name: partial(work, *fleet) for name, fleet in fleets.items()}
    report(f"RQ {JOBS:,} pickled jobs that do nothing", alternated(contenders, rounds), JOBS, "job", BASELINE)


def work(jobs: int, commands: list[list[str]]) -> Run:
    """Let the commands empty a queue of so many jobs."""
    with Server() as server, redis.Redis.from_url(server.url) as client:
        CONDITIONS.prepare(server.url)
        _enqueue(Queue(connection=client), jobs)
        with _started([[*command, "-u", server.url] for command in commands]):
            _wait_until(lambda: client.zcard("rq:finished:default") > 0)
            done = client.zcard("rq:finished:default")
            with measured(server.url) as run:
                _wait_until(lambda: client.zcard("rq:finished:default") == jobs)
        run.amount = jobs - done
        _check(client, jobs)
    return run


def _enqueue(queue: Queue, jobs: int) -> None:
    for _ in range(jobs // 500):
        queue.enqueue_many([Queue.prepare_data(nothing) for _ in range(500)])


@contextmanager
def _started(commands: list[list[str]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    quiet = subprocess.DEVNULL
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet) for command in commands]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def _wait_until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.02)


def _check(client: redis.Redis, jobs: int) -> None:
    """All ran, each once."""
    results = list(client.scan_iter("rq:results:*", count=5000))
    pipeline = client.pipeline(transaction=False)
    for key in results:
        pipeline.xlen(key)
    assert set(pipeline.execute()) == {1}
    assert len(results) == client.zcard("rq:finished:default") == jobs


if __name__ == "__main__":
    main()
