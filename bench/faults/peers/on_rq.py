"""RQ: jobs that may be retried three times, in one queue or in two."""

import os
from typing import Any

import redis
from rq import Queue
from rq.job import Job, JobStatus, Retry
from rq.results import Result

from bench.faults import tasks
from bench.faults.outcome import PENDING, Outcome, done, failed
from bench.faults.peers import rq_records

QUEUES = os.environ.get("BENCH_QUEUES", "default").split(",")
ENDED_BADLY = (JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED)


class Client:
    """Enqueues to its queues in turn and reads each job's latest result."""

    def __init__(self) -> None:
        self.redis = redis.Redis.from_url(os.environ["BENCH_URL"])
        self.queues = [Queue(name, connection=self.redis) for name in QUEUES]
        self.jobs: dict[str, Job] = {}

    def submit(self, key: str, call: str, args: list[Any]) -> None:
        queue = self.queues[len(self.jobs) % len(self.queues)]
        self.jobs[key] = queue.enqueue(getattr(tasks, call), *args, retry=Retry(max=3))

    def look(self, key: str) -> Outcome:
        job = self.jobs[key]
        status = job.get_status()
        if status != JobStatus.FINISHED and status not in ENDED_BADLY:
            return PENDING
        result = job.latest_result()
        if status in ENDED_BADLY:
            last_line = (result.exc_string or "").strip().splitlines()[-1:] if result else []
            return failed(f"{status.value}: {''.join(last_line)}")
        return done(result.return_value) if result else PENDING

    def spoil(self, number: int) -> str:
        return rq_records.spoil(self.redis, number)

    def doubles(self) -> int:
        ends = (Result.Type.SUCCESSFUL, Result.Type.FAILED)
        counts = [sum(result.type in ends for result in job.results()) for job in self.jobs.values()]
        return sum(max(0, count - 1) for count in counts)

    def close(self) -> None:
        self.redis.close()
