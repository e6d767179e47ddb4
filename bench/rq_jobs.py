"""RQ's own jobs: enqueued by RQ with pickle, run by RQ's workers and by our daemon, each on all of two cores.

Jobs wait in the queue before the workers start.  Counted is the time between the first result and the last, so
that nobody pays for its start.  RQ's pool is far slower, so it gets fewer jobs; all figures are per job.
CPU of processes that ended meanwhile (each of RQ's forks) is not counted.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import redis
from rich.console import Console
from rich.table import Table
from rq import Queue

from bench.hosts import ROOT
from bench.measure import Run, alternated, measured, report
from bench.tasks import nothing
from farpool.embedded import Server

JOBS, JOBS_OF_RQS_POOL = 20_000, 1_000
PYTHON = [sys.executable, "-m"]
RQ = [*PYTHON, "rq.cli"]
OURS = ["--accept", "pickle,json,msgpack", "--allow-any"]


def main(rounds: int = 5) -> None:
    """Four ways to use two cores for the same queue, one of them a fleet of both kinds."""
    simple, ours = [*RQ, "worker", "-w", "rq.SimpleWorker", "-q"], [*PYTHON, "farpool_worker", *OURS]
    fleets = {
        "rq worker-pool -n 2": (JOBS_OF_RQS_POOL, [[*RQ, "worker-pool", "-n", "2", "-q", "default"]]),
        "2 SimpleWorkers": (JOBS, [simple, simple]),
        "farpool": (JOBS, [[*ours, "-c", "2"]]),
        "SimpleWorker and farpool": (JOBS, [simple, [*ours, "-c", "1"]]),
    }
    traffic: dict[str, list[tuple[float, float]]] = {name: [] for name in fleets}
    contenders = {name: partial(work, *fleet, traffic[name]) for name, fleet in fleets.items()}
    runs = alternated(contenders, rounds)
    report(f"RQ {JOBS:,} pickled jobs that do nothing", runs, JOBS, "job", "rq worker-pool -n 2")
    _report_traffic(traffic)


def work(jobs: int, commands: list[list[str]], traffic: list[tuple[float, float]]) -> Run:
    """Let the commands empty a queue of so many jobs.  Time and CPU are scaled to JOBS."""
    with Server() as server, redis.Redis.from_url(server.url) as client:
        _enqueue(Queue(connection=client), jobs)
        with _started([[*command, "-u", server.url] for command in commands]):
            _wait_until(lambda: client.zcard("rq:finished:default") > 0)
            done, before = client.zcard("rq:finished:default"), client.info("stats")
            with measured() as run:
                _wait_until(lambda: client.zcard("rq:finished:default") == jobs)
            after = client.info("stats")
        counted = jobs - done
        _check(client, jobs)
    names = ("total_commands_processed", "total_reads_processed")
    commands_run, reads = ((after[name] - before[name]) / counted for name in names)
    traffic.append((commands_run, reads))
    scale = JOBS / counted
    return Run(run.seconds * scale, {role: seconds * scale for role, seconds in run.cpu.items()})


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


def _report_traffic(traffic: dict[str, list[tuple[float, float]]]) -> None:
    table = Table("contender", "commands per job", "reads of the server per job (round trips)", title="Redis")
    for name, found in traffic.items():
        medians = (statistics.median(run[i] for run in found) for i in (0, 1))
        table.add_row(name, *(f"{median:.2f}" for median in medians))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
