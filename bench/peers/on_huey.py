"""Huey: a consumer with two processes."""

from collections.abc import Sequence
from typing import Any

from huey import RedisHuey

from bench.peers.common import MANY_SMALL, TASKS, URL, script

huey = RedisHuey("bench", url=URL, store_none=True, notify_result=not MANY_SMALL)
tasks = {name: huey.task()(function) for name, function in TASKS.items()}
WORKERS = [script("huey_consumer", "bench.peers.on_huey.huey", "-k", "process", "-w", "2", "-n", "-q")]

BACKOFF, LONGEST_DELAY = 1.5, 0.05
"""Of the client, where it is not notified."""


class Peer:
    """Results are picked up in order: all but the first few are there by then."""

    def call(self, name: str, value: Any) -> Any:
        return tasks[name](value).get(blocking=True, backoff=BACKOFF, max_delay=LONGEST_DELAY)

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        task = tasks[name]
        sent = [task(value) for value in values]
        return [each.get(blocking=True, backoff=BACKOFF, max_delay=LONGEST_DELAY) for each in sent]

    map = call_each

    def close(self) -> None:
        huey.storage.conn.close()
