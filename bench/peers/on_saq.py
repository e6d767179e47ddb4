"""SAQ: two worker processes on uvloop."""

import asyncio
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import uvloop
from redis import asyncio as redis
from saq import Job, Status
from saq.job import TERMINAL_STATUSES
from saq.queue.redis import RedisQueue

from bench.peers.common import ARRAYS, CPU_BOUND, TASKS, URL, module

ENQUEUED_AT_ONCE, READ_AT_ONCE, PAUSE_SECONDS, WAIT_SECONDS = 100, 500, 0.02, 120
SUBSCRIBED_SECONDS = 0.5

uvloop.install()


class Unswept(RedisQueue):
    """Its sweeper takes jobs for stuck that were claimed this moment, and aborts them."""

    async def sweep(self, lock: int = 60, abort: float = 5.0) -> list[str]:
        return []


coding = {"dump": lambda job: pickle.dumps(job, protocol=5), "load": pickle.loads} if ARRAYS else {}
queue = Unswept(redis.from_url(URL), **coding)
# Not `--workers 2`: its first process leaves the second one behind when it is told to end.
WORKERS = [module("saq", "bench.peers.on_saq.settings", "--quiet")] * 2


def _task(name: str, function: Callable[[Any], Any]) -> tuple[str, Callable[..., Any]]:
    async def run(_context: Any, *, value: Any) -> Any:
        return function(value)

    return name, run


settings = {
    "queue": queue,
    "functions": [_task(*item) for item in TASKS.items()],
    "concurrency": 1 if CPU_BOUND else 20,
}


class Peer:
    """An event loop of its own, entered for each call from here."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(self._start())

    def call(self, name: str, value: Any) -> Any:
        return self.runner.run(_listened(name, value))

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        return self.runner.run(_enqueued_and_read(name, values))

    map = call_each

    async def _start(self) -> None:
        """A listener to nothing: with the last one the subscription ends, and each call would pay for a new one."""
        await queue.connect()
        self.keeper = asyncio.create_task(queue.listen(["nothing"], lambda *_: False, timeout=None))
        await asyncio.sleep(SUBSCRIBED_SECONDS)

    def close(self) -> None:
        self.keeper.cancel()
        self.runner.run(queue.disconnect())
        self.runner.close()


async def _listened(name: str, value: Any) -> Any:
    """Heard by its subscription, which is open."""
    job = Job(name, kwargs={"value": value}, queue=queue)
    heard = asyncio.create_task(queue.listen([job.key], _has_ended, timeout=WAIT_SECONDS))
    await asyncio.sleep(0)  # so that it listens before there is anything to hear
    await queue.enqueue(job)
    await heard
    await job.refresh()
    assert job.status == Status.COMPLETE, job.error
    return job.result


def _has_ended(_key: str, status: Status) -> bool:
    return status in TERMINAL_STATUSES


async def _enqueued_and_read(name: str, values: Sequence[Any]) -> list[Any]:
    keys: list[str] = []
    for start in range(0, len(values), ENQUEUED_AT_ONCE):
        batch = values[start : start + ENQUEUED_AT_ONCE]
        keys += [job.key for job in await asyncio.gather(*(queue.enqueue(name, value=value) for value in batch))]
    results: list[Any] = []
    while len(results) < len(keys):
        for job in await queue.jobs(keys[len(results) : len(results) + READ_AT_ONCE]):
            if job is None or job.status != Status.COMPLETE:
                await asyncio.sleep(PAUSE_SECONDS)
                break
            results.append(job.result)
    return results
