"""SAQ: two processes on uvloop."""

import asyncio
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import uvloop
from saq import Queue, Status

from bench.peers.common import ARRAYS, CPU_BOUND, MANY_SMALL, TASKS, URL, module

ENQUEUED_AT_ONCE, READ_AT_ONCE, PAUSE_SECONDS, WAIT_SECONDS = 100, 500, 0.02, 120
NEVER_SECONDS = 86_400
"""Between sweeps: its sweeper takes jobs for stuck that were claimed this moment."""

uvloop.install()
coding = {"dump": lambda job: pickle.dumps(job, protocol=5), "load": pickle.loads} if ARRAYS else {}
queue = Queue.from_url(URL, **coding)
WORKERS = [module("saq", "bench.peers.on_saq.settings", "--workers", "2", "--quiet")]


def _task(name: str, function: Callable[[Any], Any]) -> tuple[str, Callable[..., Any]]:
    async def run(_context: Any, *, value: Any) -> Any:
        return function(value)

    return name, run


settings = {
    "queue": queue,
    "functions": [_task(*item) for item in TASKS.items()],
    "concurrency": 1 if CPU_BOUND else 20,
    "timers": {"sweep": NEVER_SECONDS},
}


class Peer:
    """An event loop of its own, entered for each call from here."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(queue.connect())

    def call(self, name: str, value: Any) -> Any:
        return self.runner.run(queue.apply(name, value=value, timeout=WAIT_SECONDS, retries=1))

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        if not MANY_SMALL:
            return self.runner.run(queue.map(name, [{"value": value} for value in values], timeout=WAIT_SECONDS))
        return self.runner.run(_enqueued_and_read(name, values))

    map = call_each

    def close(self) -> None:
        self.runner.run(queue.disconnect())
        self.runner.close()


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
