"""Malformed records in RQ's layout, for every system that reads it."""

import redis

GOOD = {"created_at": "2026-01-01T00:00:00.000000Z", "data": b"\x94", "origin": "default", "status": "queued"}
FIELDS = ("created_at", "status", "timeout", "data")


def spoil(client: redis.Redis, number: int) -> str:
    """A job whose record nobody should believe, at the end of the queue `default`."""
    job, field = f"spoiled{number}", (*FIELDS, None)[number % (len(FIELDS) + 1)]
    if field is None:
        client.set(f"rq:job:{job}", "a string")
    else:
        client.hset(f"rq:job:{job}", mapping={**GOOD, "timeout": "180", field: b"\xff\xfe no value"})
    client.rpush("rq:queue:default", job)
    return f"a job with a bad {field}" if field else "a job whose record is a string"
