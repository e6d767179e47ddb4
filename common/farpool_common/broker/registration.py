"""A daemon's entry among RQ's workers: made at the start, removed at the end."""

import os
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import redis
from redis.exceptions import ResponseError

from farpool_common.broker.outages import translated
from farpool_common.keys import Keys


def is_taken(client: redis.Redis, keys: Keys, worker: str, place: str, *, grace_ms: int = 0) -> bool:
    """True while a daemon of this name holds its host lease, or lost it less than `grace_ms` ago."""
    with translated(place):
        seconds, microseconds = client.time()
        until = client.zscore(keys.hosts, worker)
    return until is not None and until + grace_ms > seconds * 1000 + microseconds // 1000


def register(client: redis.Redis, keys: Keys, worker: str, queues: Sequence[str], place: str) -> None:
    """Enter the worker, as RQ's own worker does."""
    now = _now()
    record: dict[Any, Any] = {
        "birth": now,
        "last_heartbeat": now,
        "queues": ",".join(queues),
        "pid": os.getpid(),
        "hostname": socket.gethostname(),
        "ip_address": _ip_address(client, worker, place),
        "version": metadata.version("rq"),
        "python_version": sys.version,
        "state": "started",
    }
    key = keys.worker(worker)
    with translated(place):
        pipeline = client.pipeline()
        pipeline.delete(key)
        pipeline.hset(key, mapping=record)
        pipeline.expire(key, 480)
        pipeline.sadd(keys.workers, key)
        for queue in queues:
            pipeline.sadd(keys.workers_of(queue), key)
        pipeline.execute()


def deregister(client: redis.Redis, keys: Keys, worker: str, queues: Sequence[str], place: str) -> None:
    """Take the worker out; its record stays for a minute, with the time of its end."""
    now = _now()
    key = keys.worker(worker)
    with translated(place):
        pipeline = client.pipeline()
        pipeline.srem(keys.workers, key)
        for queue in queues:
            pipeline.srem(keys.workers_of(queue), key)
        pipeline.hset(key, mapping={"death": now, "state": "idle"})
        pipeline.expire(key, 60)
        pipeline.delete(keys.executions(worker), keys.host(worker))
        pipeline.zrem(keys.hosts, worker)
        pipeline.execute()


def note_shutdown(client: redis.Redis, keys: Keys, worker: str, place: str) -> None:
    """Let RQ's tools see that the worker was asked to stop."""
    with translated(place):
        if client.exists(keys.worker(worker)):
            client.hset(keys.worker(worker), "shutdown_requested_date", _now())


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _ip_address(client: redis.Redis, worker: str, place: str) -> str:
    """Our address as the server sees it, as RQ shows it; the connection gets our name besides."""
    with translated(place):
        try:
            client.client_setname(worker)
            return str(client.client_info()["addr"])
        except ResponseError:  # not allowed to this user, or unknown to this server
            return "unknown"
