"""Which daemons are alive: read from their leases, by the server's clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis

from farpool_common.broker.connection import text
from farpool_common.keys import Keys

MOST_HOSTS = 10_000
"""Hosts that one look returns at most (guess)."""


@dataclass(frozen=True)
class Host:
    """One live daemon: its worker name, its machine, its processes."""

    name: str
    hostname: str
    pid: int
    slots: int
    busy: int
    queues: tuple[str, ...]
    reason: str = ""
    started_at: str = ""
    accept: tuple[str, ...] = ("msgpack",)
    folder: str = ""


def live_hosts(client: redis.Redis, keys: Keys, queue: str | None = None) -> list[Host]:
    """Daemons whose host lease holds, in the order of their names; those of one queue if it is given."""
    seconds, microseconds = client.time()
    now_ms = seconds * 1000 + microseconds // 1000
    names: list[Any] = client.zrangebyscore(keys.hosts, now_ms, "+inf", start=0, num=MOST_HOSTS)
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.hgetall(keys.host(text(name)))
    found = [_host(text(name), record) for name, record in zip(names, pipeline.execute(), strict=True) if record]
    return sorted(_serving(found, queue), key=lambda host: host.name)


def _serving(hosts: Iterable[Host], queue: str | None) -> Iterable[Host]:
    return (host for host in hosts if queue is None or queue in host.queues)


def _host(name: str, record: dict[bytes, bytes]) -> Host:
    def field(key: bytes) -> str:
        return text(record.get(key, b""))

    return Host(
        name,
        field(b"hostname"),
        _number(field(b"pid")),
        _number(field(b"slots")),
        _number(field(b"busy")),
        tuple(part for part in field(b"queues").split(",") if part),
        field(b"reason"),
        field(b"started_at"),
        tuple(part for part in field(b"accept").split(",") if part) or ("msgpack",),
        field(b"folder"),
    )


def _number(value: str) -> int:
    return int(value) if value.isdecimal() else 0
