"""streaQ: two worker processes on uvloop, a stream as queue."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import uvloop
from streaq import Worker

from bench.peers.common import CPU_BOUND, MANY_SMALL, TASKS, TCP_PORT, script

ENQUEUED_AT_ONCE, READ_AT_ONCE = 1_000, 500
PAUSE_SECONDS = 0.02 if MANY_SMALL else 0.0005
"""Between looks for results.  Its own way to wait for one leaves its subscription only after 100 ms."""

uvloop.install()
CONCURRENCY = 1 if CPU_BOUND else 32
worker = Worker(redis_url=f"redis://127.0.0.1:{TCP_PORT}", concurrency=CONCURRENCY, prefetch=CONCURRENCY)
WORKERS = [script("streaq", "run", "bench.peers.on_streaq:worker", "-w", "2")]


def _coroutine(function: Callable[[Any], Any]) -> Callable[..., Any]:
    async def run(value: Any) -> Any:
        return function(value)

    return run


tasks = {name: worker.task(name=name, silent=True, ttl=None)(_coroutine(function)) for name, function in TASKS.items()}


class Peer:
    """An event loop of its own, entered for each call from here."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(worker.__aenter__())

    def call(self, name: str, value: Any) -> Any:
        return self.call_each(name, [value])[0]

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        return self.runner.run(_called_each(name, values))

    map = call_each

    def close(self) -> None:
        self.runner.run(worker.__aexit__(None, None, None))
        self.runner.close()


async def _called_each(name: str, values: Sequence[Any]) -> list[Any]:
    keys: list[str] = []
    for start in range(0, len(values), ENQUEUED_AT_ONCE):
        batch = [tasks[name].enqueue(value) for value in values[start : start + ENQUEUED_AT_ONCE]]
        await worker.enqueue_many(batch)
        keys += [worker.results_key + task.id for task in batch]
    found: list[Any] = []
    while len(found) < len(keys):
        for raw in await worker.redis.mget(keys[len(found) : len(found) + READ_AT_ONCE]):
            if raw is None:
                await asyncio.sleep(PAUSE_SECONDS)
                break
            result = await worker.deserialize(raw)
            assert result["s"], result
            found.append(result["r"])
    return found
