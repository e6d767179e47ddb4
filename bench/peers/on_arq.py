"""arq: two processes on uvloop.  It has no notification: workers poll for jobs, and clients for results."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import uvloop
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job
from arq.worker import func

from bench.peers.common import CPU_BOUND, SOCKET, TASKS, script

ENQUEUED_AT_ONCE, POLL_SECONDS, RESULT_POLL_SECONDS, WAIT_SECONDS = 100, 0.005, 0.002, 120
CONNECTIONS = 128

uvloop.install()
redis_settings = RedisSettings(unix_socket_path=SOCKET, max_connections=CONNECTIONS)
WORKERS = [script("arq", "bench.peers.on_arq.WorkerSettings")] * 2


def _coroutine(function: Callable[[Any], Any]) -> Callable[..., Any]:
    async def run(_context: Any, value: Any) -> Any:
        return function(value)

    return run


class WorkerSettings:
    """What arq's program reads."""

    functions = [func(_coroutine(function), name=name) for name, function in TASKS.items()]  # noqa: RUF012
    redis_settings = redis_settings
    max_jobs = 1 if CPU_BOUND else 100
    poll_delay = POLL_SECONDS


class Peer:
    """An event loop of its own, entered for each call from here."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.redis: ArqRedis = self.runner.run(create_pool(redis_settings))

    def call(self, name: str, value: Any) -> Any:
        return self.runner.run(self._called(name, value))

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        return self.runner.run(self._called_each(name, values))

    map = call_each

    def close(self) -> None:
        self.runner.run(self.redis.aclose())
        self.runner.close()

    async def _called(self, name: str, value: Any) -> Any:
        return await _result(await self.redis.enqueue_job(name, value))

    async def _called_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        jobs: list[Job | None] = []
        for start in range(0, len(values), ENQUEUED_AT_ONCE):
            batch = values[start : start + ENQUEUED_AT_ONCE]
            jobs += await asyncio.gather(*(self.redis.enqueue_job(name, value) for value in batch))
        return [await _result(job) for job in jobs]


async def _result(job: Job | None) -> Any:
    assert job is not None
    return await job.result(timeout=WAIT_SECONDS, poll_delay=RESULT_POLL_SECONDS)
