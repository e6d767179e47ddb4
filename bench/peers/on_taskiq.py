"""taskiq: two worker processes on uvloop, a list as queue, results pickled in Redis."""

import asyncio
import base64
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import uvloop
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from bench.peers.common import ARRAYS, CPU_BOUND, MANY_SMALL, TASKS, URL, module

SENT_AT_ONCE, CONNECTIONS, WAIT_SECONDS = 100, 128, 120
CHECK_SECONDS = 0.02 if MANY_SMALL else 0.001
"""Between looks for a result: it has no notification."""

uvloop.install()
results = RedisAsyncResultBackend(redis_url=URL, max_connection_pool_size=CONNECTIONS)
queue = ListQueueBroker(url=URL, max_connection_pool_size=CONNECTIONS)
broker = queue.with_result_backend(results).with_serializer(ORJSONSerializer())
SETTINGS = ("--max-async-tasks", "1" if CPU_BOUND else "100", "--no-parse", "--log-level", "ERROR")
WORKERS = [module("taskiq", "worker", "bench.peers.on_taskiq:broker", "-w", "2", *SETTINGS)]


def _packed(value: Any) -> str:
    """As text: messages and results pass through pydantic's JSON, which takes neither arrays nor bytes."""
    return base64.b64encode(pickle.dumps(value, protocol=5)).decode()


def _unpacked(text: str) -> Any:
    return pickle.loads(base64.b64decode(text))


def _coroutine(function: Callable[[Any], Any]) -> Callable[..., Any]:
    async def run(value: Any) -> Any:
        return _packed(function(_unpacked(value))) if ARRAYS else function(value)

    return run


tasks = {name: broker.task(task_name=name)(_coroutine(function)) for name, function in TASKS.items()}


class Peer:
    """An event loop of its own, entered for each call from here."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(broker.startup())

    def call(self, name: str, value: Any) -> Any:
        return self.runner.run(_called_each(name, [value]))[0]

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        return self.runner.run(_called_each(name, values))

    map = call_each

    def close(self) -> None:
        self.runner.run(broker.shutdown())
        self.runner.close()


async def _called_each(name: str, values: Sequence[Any]) -> list[Any]:
    sent = []
    for start in range(0, len(values), SENT_AT_ONCE):
        batch = [_packed(value) if ARRAYS else value for value in values[start : start + SENT_AT_ONCE]]
        sent += await asyncio.gather(*(tasks[name].kiq(value) for value in batch))
    found = []
    for each in sent:
        result = await each.wait_result(check_interval=CHECK_SECONDS, timeout=WAIT_SECONDS)
        result.raise_for_error()
        found.append(_unpacked(result.return_value) if ARRAYS else result.return_value)
    return found
