"""Dramatiq: two processes of eight threads, results in Redis."""

import os
from collections.abc import Sequence
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends.redis import RedisBackend

from bench.peers.common import ARRAYS, CPU_BOUND, MANY_SMALL, TASKS, URL, script

THREADS = "1" if CPU_BOUND else "8"
WAIT_MS = 120_000
PATIENT_URL = f"{URL}?socket_timeout=120"
"""redis-py gives up on an answer after 5 s by itself, and the wait for a result is a blocking command."""

if MANY_SMALL:
    os.environ["dramatiq_queue_prefetch"] = "1000"  # noqa: SIM112 (spelled so by Dramatiq)
if ARRAYS:
    dramatiq.set_encoder(dramatiq.PickleEncoder())
broker = RedisBroker(url=PATIENT_URL)
broker.add_middleware(Results(backend=RedisBackend(url=PATIENT_URL), store_results=True))
dramatiq.set_broker(broker)
actors = {name: dramatiq.actor(function, max_retries=0) for name, function in TASKS.items()}
WORKERS = [script("dramatiq", "bench.peers.on_dramatiq", "-p", "2", "-t", THREADS)]


class Peer:
    """It enqueues one by one and waits for each result in Redis."""

    def call(self, name: str, value: Any) -> Any:
        return actors[name].send(value).get_result(block=True, timeout=WAIT_MS)

    def call_each(self, name: str, values: Sequence[Any]) -> list[Any]:
        send = actors[name].send
        sent = [send(value) for value in values]
        return [message.get_result(block=True, timeout=WAIT_MS) for message in sent]

    map = call_each

    def close(self) -> None:
        broker.close()
