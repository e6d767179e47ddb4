"""Redis goes away while a job runs, and comes back: what becomes of the result with RQ's worker, and with ours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis
import stock
from daemons import daemons, lines, wait_for
from restartable import RestartableServer, restartable
from rq import Queue
from rq.job import Job


@contextmanager
def outage(server: RestartableServer, job: Job, journal, gate) -> Iterator[None]:
    """The job runs, the server dies, the job returns; inside, the server is away."""
    wait_for(lambda: lines(journal) and job.get_status() == "started")
    time.sleep(1.2)  # everysec: what was acknowledged is on its way to the disk
    server.kill()
    gate.touch()
    yield
    server.start()


def enqueue(server: RestartableServer, journal, gate, **how) -> Job:
    queue = Queue(connection=redis.Redis.from_url(server.url))
    return queue.enqueue(stock.notes_and_waits, str(journal), str(gate), **how)


def test_rqs_worker_loses_a_result_that_was_ready_while_redis_was_away(tmp_path, journal):
    gate = tmp_path / "gate"
    with restartable(tmp_path) as server:
        job = enqueue(server, journal, gate)
        with stock.rq_worker(server.url, "default") as worker:
            with outage(server, job, journal, gate):
                horse = stock.tree(worker.pid)[-1]
                wait_for(lambda: not horse.is_running() or horse.status() == "zombie")
            time.sleep(1)
            assert job.get_status() != "finished"


def test_ours_keeps_a_result_until_redis_is_back(tmp_path, journal, how):
    gate = tmp_path / "gate"
    with restartable(tmp_path) as server:
        job = enqueue(server, journal, gate, **how)
        with daemons(server.url, tmp_path, "a", options=("-c", "1", *stock.AS_RQ)):
            with outage(server, job, journal, gate):
                time.sleep(1)
            wait_for(lambda: job.get_status() == "finished")
            assert (job.return_value(), len(job.results()), len(lines(journal))) == ("done", 1, 1)
