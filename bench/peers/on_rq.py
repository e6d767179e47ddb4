"""RQ: two SimpleWorkers, which run jobs without a fork for each."""

from collections.abc import Sequence
from typing import Any

import redis
from rq import Queue
from rq.job import Job

from bench.peers.common import TASKS, URL, module

AT_ONCE, WAIT_SECONDS = 1_000, 120
PATIENCE_SECONDS = WAIT_SECONDS + 10
"""redis-py gives up on an answer after 5 s by itself, and the wait for a result is a blocking command."""

WORKER = module("rq.cli", "worker", "-w", "rq.SimpleWorker", "-q", "-u", URL)
WORKERS = [WORKER, WORKER]


class Peer:
    """Jobs are enqueued by the thousand; each result is a stream that is waited for."""

    def __init__(self) -> None:
        self.redis = redis.Redis.from_url(URL, socket_timeout=PATIENCE_SECONDS)
        self.queue = Queue(connection=self.redis)

    def call(self, name: str, value: Any) -> Any:
        return _result(self.queue.enqueue(TASKS[name], value))

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        jobs: list[Job] = []
        for start in range(0, len(values), AT_ONCE):
            batch = values[start : start + AT_ONCE]
            jobs += self.queue.enqueue_many([Queue.prepare_data(TASKS[name], (value,)) for value in batch])
        return [_result(job) for job in jobs]

    map = call_each

    def close(self) -> None:
        self.redis.close()


def _result(job: Job) -> Any:
    result = job.latest_result(timeout=WAIT_SECONDS)
    assert result is not None, f"no result within {WAIT_SECONDS} s"
    assert result.type == result.Type.SUCCESSFUL, result.exc_string
    return result.return_value
