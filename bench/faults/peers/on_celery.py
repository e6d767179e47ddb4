"""Celery: as safe as its settings make it, or as it comes (BENCH_VARIANT=default)."""

import base64
import json
import os
import uuid
from typing import Any

import celery
import redis
from celery.result import AsyncResult

from bench.faults import tasks
from bench.faults.outcome import PENDING, Outcome, done, failed

# The pool looks for lost processes every 5 s; with less than that plus `worker_lost_wait` as the visibility timeout,
# a task that kills its process is delivered again before its retries are counted.
SAFE = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_retry_on_worker_lost": True,
    "result_backend_always_retry": True,
    "worker_lost_wait": 1.0,
    "worker_prefetch_multiplier": 1,
    "broker_transport_options": {
        "visibility_timeout": 10,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
}
RETRIES = {"max_retries": 3, "default_retry_delay": 1}

app = celery.Celery("bench", broker=os.environ["BENCH_URL"], backend=os.environ["BENCH_URL"])
if os.environ.get("BENCH_VARIANT") != "default":
    app.conf.update(SAFE)
calls = {name: app.task(name=name, **RETRIES)(getattr(tasks, name)) for name in ("work", "poison", "unserializable")}


class Client:
    """Applies tasks and reads the result backend."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}

    def submit(self, key: str, call: str, args: list[Any]) -> None:
        self.ids[key] = calls[call].apply_async(args).id

    def look(self, key: str) -> Outcome:
        meta = AsyncResult(self.ids[key], app=app)
        if not meta.ready():
            return PENDING
        return done(meta.result) if meta.successful() else failed(meta.result)

    def spoil(self, number: int) -> str:
        what, message = list(_spoiled().items())[number % len(_spoiled())]
        with redis.Redis.from_url(os.environ["BENCH_URL"]) as client:
            client.lpush("celery", message)
        return what

    def doubles(self) -> int:
        """The backend keeps one result per task; what replaced another is seen by looking."""
        return 0

    def close(self) -> None:
        app.close()


def _spoiled() -> dict[str, bytes]:
    return {
        "bytes that are no JSON": b"\xff\xfe no JSON",
        "JSON that is no message": b'{"a": 1}',
        "a body that is no JSON": _message(body=b"\xff\xfe no JSON"),
        "a content type that is not accepted": _message(content_type="application/x-python-serialize"),
    }


def _message(body: bytes = b"[[], {}, {}]", content_type: str = "application/json") -> bytes:
    tag = str(uuid.uuid4())
    envelope = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": content_type,
        "headers": {"lang": "py", "task": "work", "id": tag, "root_id": tag, "retries": 0},
        "properties": {
            "correlation_id": tag,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": tag,
        },
    }
    return json.dumps(envelope).encode()
