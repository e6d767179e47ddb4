"""What the server knows of a pool: its queues and its hosts, as values to show."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import redis

from farpool_common.address import Address
from farpool_common.broker import Host, live_hosts, translated
from farpool_common.keys import Keys

MOST_QUEUES = 10_000
"""Queues that one look returns at most (guess)."""


@dataclass(frozen=True)
class QueueState:
    """How many tasks of a queue are in which state."""

    name: str
    waiting: int
    running: int
    failed: int


@dataclass(frozen=True)
class Overview:
    """One look at a pool.  `now` is the server's time, in seconds."""

    queues: tuple[QueueState, ...]
    hosts: tuple[Host, ...]
    now: float

    def age_seconds(self, host: Host) -> float | None:
        """How long a daemon has been up, as far as its host's clock agrees with the server's."""
        try:
            return max(0.0, self.now - datetime.fromisoformat(host.started_at).timestamp())
        except (ValueError, OverflowError):
            return None

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        hosts = [_shown(host) | {"age_seconds": self.age_seconds(host)} for host in self.hosts]
        return {
            "queues": [asdict(queue) for queue in self.queues],
            "hosts": hosts,
            "running": sum(queue.running for queue in self.queues),
            "slots": sum(host.slots for host in self.hosts),
        }


def look(client: redis.Redis, keys: Keys, address: Address) -> Overview:
    """Read it.  Raises farpool's errors."""
    with translated(address.masked):
        hosts = live_hosts(client, keys)
        known = islice(client.sscan_iter(keys.queues, count=1000), MOST_QUEUES)
        prefix = keys.queue("")
        names = {_text(key).removeprefix(prefix) for key in known}
        names |= {name for host in hosts for name in host.queues}
        seconds, microseconds = client.time()
        queues = tuple(_states(client, keys, sorted(names)))
    return Overview(queues, tuple(hosts), seconds + microseconds / 1e6)


def _shown(host: Host) -> dict[str, Any]:
    """Its facts, but for the name of its folder, which is nobody else's business."""
    return {name: fact for name, fact in asdict(host).items() if name != "folder"}


def _states(client: redis.Redis, keys: Keys, names: list[str]) -> Iterable[QueueState]:
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.llen(keys.queue(name))
        pipeline.zcard(keys.started(name))
        pipeline.zcard(keys.failed(name))
    numbers = iter(pipeline.execute())
    return [QueueState(name, next(numbers), next(numbers), next(numbers)) for name in names]


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
