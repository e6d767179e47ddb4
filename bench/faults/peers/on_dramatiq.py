"""Dramatiq: results in Redis, a short heartbeat timeout, maintenance with each command instead of one in a thousand."""

import os
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import ResultFailure, ResultMissing, Results
from dramatiq.results.backends.redis import RedisBackend

from bench.faults import tasks
from bench.faults.outcome import PENDING, Outcome, done, failed

broker = RedisBroker(url=os.environ["BENCH_URL"], heartbeat_timeout=5_000, maintenance_chance=1_000_000)
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["BENCH_URL"]), store_results=True))
dramatiq.set_broker(broker)
RETRIES = {"max_retries": 3, "min_backoff": 500, "max_backoff": 1_000}
actors = {name: dramatiq.actor(getattr(tasks, name), **RETRIES) for name in ("work", "poison", "unserializable")}


class Client:
    """Sends messages and reads the result backend."""

    def __init__(self) -> None:
        self.messages: dict[str, dramatiq.Message] = {}

    def submit(self, key: str, call: str, args: list[Any]) -> None:
        self.messages[key] = actors[call].send(*args)

    def look(self, key: str) -> Outcome:
        try:
            return done(self.messages[key].get_result(block=False))
        except ResultMissing:
            return PENDING
        except ResultFailure as error:
            return failed(error)

    def spoil(self, number: int) -> str:
        what, message = list(SPOILED.items())[number % len(SPOILED)]
        if message:
            broker.client.hset("dramatiq:default.msgs", f"spoiled{number}", message)
        broker.client.rpush("dramatiq:default", f"spoiled{number}")
        return what

    def doubles(self) -> int:
        """The backend keeps one result per message; what replaced another is seen by looking."""
        return 0

    def close(self) -> None:
        broker.close()


SPOILED = {
    "bytes that are no JSON": b"\xff\xfe no JSON",
    "JSON that is no message": b'{"a": 1}',
    "an id without a message": b"",
    "a message whose fields are null": (
        b'{"queue_name": "default", "actor_name": "work", "args": null, "kwargs": null, "options": null,'
        b' "message_id": "spoiled", "message_timestamp": 0}'
    ),
}
