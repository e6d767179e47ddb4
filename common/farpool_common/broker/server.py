"""What the server must be able to do before a task is entrusted to it."""

import re

import redis

from farpool_common.broker.outages import translated
from farpool_common.errors import ServerUnsuitableError

MINIMUM = {"redis": (7, 0), "valkey": (7, 2)}
"""The first versions with script flags (`#!lua flags=allow-oom`)."""


def check_server(client: redis.Redis, place: str, *, allow_eviction: bool = False) -> str:
    """Name and version of the server, such as `valkey 9.1.2`.

    Raises ServerUnsuitableError when it is too old or may evict queued tasks.
    """
    with translated(place):
        info = client.info("server")
        policy = str(client.info("memory").get("maxmemory_policy", "noeviction"))
    kind, version = _version(info)
    found = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if found < MINIMUM[kind]:
        needed = ".".join(map(str, MINIMUM[kind]))
        raise ServerUnsuitableError(
            f"{place} runs {kind} {version}, which has no script flags; farpool needs {kind} {needed} or later."
        )
    if policy != "noeviction" and not allow_eviction:
        raise ServerUnsuitableError(
            f"maxmemory-policy {policy} may delete queued tasks: set noeviction on {place} "
            f"(CONFIG SET maxmemory-policy noeviction), or accept the loss with --allow-eviction."
        )
    return f"{kind} {version}"


def _version(info: dict[str, object]) -> tuple[str, str]:
    if "valkey_version" in info:
        return "valkey", str(info["valkey_version"])
    return "redis", str(info.get("redis_version", "0"))
