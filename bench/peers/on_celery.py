"""Celery: a prefork pool of two processes, results by publish and subscribe."""

import os
from collections.abc import Sequence
from typing import Any

import celery
from celery.result import ResultSet

from bench.peers.common import ARRAYS, CHUNKS, CPU_BOUND, SOCKET, TASKS, module

SERIALIZER = "pickle" if ARRAYS else "json"
WAIT_SECONDS = 120
NO_TRAFFIC = ("--without-gossip", "--without-mingle", "--without-heartbeat")

# Its worker does not start for root with pickle unless told to; the server here is reached by this user alone.
os.environ["C_FORCE_ROOT"] = "1"
app = celery.Celery("bench", broker=f"redis+socket://{SOCKET}", backend=f"redis+socket://{SOCKET}")
app.conf.update(
    task_serializer=SERIALIZER,
    result_serializer=SERIALIZER,
    accept_content=[SERIALIZER],
    worker_prefetch_multiplier=1 if CPU_BOUND else 64,
    worker_send_task_events=False,
    worker_disable_rate_limits=True,
    broker_connection_retry_on_startup=True,
)
tasks = {name: app.task(name=name)(function) for name, function in TASKS.items()}
WORKERS = [module("celery", "-A", "bench.peers.on_celery", "worker", "-c", "2", "-l", "ERROR", *NO_TRAFFIC)]


class Peer:
    """One connection for all calls; the client's own thread reads what is published."""

    def call(self, name: str, value: Any) -> Any:
        return tasks[name].apply_async((value,)).get(timeout=WAIT_SECONDS)

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        with app.producer_pool.acquire(block=True) as producer:
            sent = [tasks[name].apply_async((value,), producer=producer) for value in values]
        return ResultSet(sent, app=app).join_native(timeout=WAIT_SECONDS)

    def map(self, name: str, values: Sequence[Any]) -> list[Any]:
        size = max(1, len(values) // CHUNKS)
        chunks = tasks[name].chunks(((value,) for value in values), size).group().apply_async()
        return [result for chunk in chunks.join_native(timeout=WAIT_SECONDS) for result in chunk]

    def close(self) -> None:
        app.close()
