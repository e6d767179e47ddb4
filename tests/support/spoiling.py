"""Keys that somebody spoils, and what is where afterwards."""

import json

import redis

from farpool_common.broker import NewTask, ProducerBroker, WorkerBroker
from farpool_common.keys import Keys

KEYS = Keys()
TASKS = ("t1", "bad", "t2")
GOOD = {"t1", "t2"}

TIMES = {"grace_ms": 0, "stray_ms": 0, "stock_ms": 60_000}
"""For a recovery that waits for nothing."""


def enqueue(producer: ProducerBroker, *names: str, queue: str = "q") -> None:
    """Tasks of an executor, each with a reply stream of its own."""
    told = [
        NewTask(id=name, data=b"\x94", description="d", label="m:f", reply=KEYS.reply(name), calls=2) for name in names
    ]
    producer.enqueue(queue, told)


def enqueue_jobs(client: redis.Redis, *names: str) -> None:
    """Plain jobs as RQ's producers write them."""
    for name in names:
        client.hset(f"rq:job:{name}", mapping={"data": b"\x94", "origin": "q", "status": "queued", "timeout": 180})
        client.rpush("rq:queue:q", name)


def spoil(client: redis.Redis, key: str) -> None:
    """Something else than was there; a key that ends in `#FIELD` gets a field that is no number."""
    key, _, field = key.partition("#")
    if field:
        client.hset(key, field, "no number")
    else:
        client.delete(key)
        client.set(key, "spoiled")


def beat(worker: WorkerBroker, held=(), lease_ms: int = 15_000, *, renew_rq: bool = False):
    return worker.heartbeat(
        held,
        {"hostname": "h", "pid": 1, "slots": 2, "busy": 0, "queues": "q,other"},
        lease_ms=lease_ms,
        keep=60,
        renew_rq=renew_rq,
    )


def quarantined(client: redis.Redis) -> dict[str, str]:
    """Reasons by id."""
    entries = map(json.loads, client.lrange(KEYS.quarantine, 0, -1)) if client.type(KEYS.quarantine) == b"list" else ()
    return {entry["id"]: entry["reason"] for entry in entries}


def listed(client: redis.Redis, key: str) -> list[str]:
    return [name.decode() for name in client.lrange(key, 0, -1)] if client.type(key) == b"list" else []


def leased(client: redis.Redis, queue: str = "q") -> set[str]:
    """Ids with a lease."""
    key = KEYS.started(queue)
    return (
        {name.decode().partition(":")[0] for name in client.zrange(key, 0, -1)}
        if client.type(key) == b"zset"
        else set()
    )
