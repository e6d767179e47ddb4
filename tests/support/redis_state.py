"""The whole keyspace as one value, so that a test compares everything in one assert."""

import re
from typing import Any

import redis

_VOLATILE = re.compile(rb"^\d{4}-\d\d-\d\dT|^\d{10}\.\d+$")


def redis_state(client: redis.Redis, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every key with its value; moments become `<moment>`, expiries are told by `<expires>`.

    Keys that contain one of the words in `without` are left out.
    """
    names = sorted(key.decode() for key in client.keys("*"))
    return {name: _value(client, name) for name in names if not any(word in name for word in without)}


def _value(client: redis.Redis, name: str) -> Any:
    match client.type(name):
        case b"hash":
            return {key.decode(): _shown(value) for key, value in sorted(client.hgetall(name).items())}
        case b"list":
            return [_shown(value) for value in client.lrange(name, 0, -1)]
        case b"set":
            return {_shown(value) for value in client.smembers(name)}
        case b"zset":
            return {_shown(value) for value in client.zrange(name, 0, -1)}
        case b"stream":
            return [{key.decode(): _shown(v) for key, v in fields.items()} for _, fields in client.xrange(name)]
        case _:
            return _shown(client.get(name))


def _shown(value: bytes) -> str:
    if _VOLATILE.match(value):
        return "<moment>"
    return value.decode("utf-8", "replace")
