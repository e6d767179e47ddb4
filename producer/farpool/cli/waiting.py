"""`farpool doctor --queues`: what waits, how it was written, and who would run it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from farpool.cli.overview import Overview, look
from farpool.cli.table import table
from farpool_common.address import Address
from farpool_common.broker import translated
from farpool_common.broker.waiting import FARPOOL, MOST_LOOKED_AT, NO_DATA, waiting
from farpool_common.escape import printable
from farpool_common.keys import Keys

MOST_FUNCTIONS = 3


@dataclass(frozen=True)
class Row:
    """Jobs of one format in one queue.  `functions`: the most frequent ones, with their numbers."""

    queue: str
    format: str
    waiting: int
    oldest_seconds: float | None
    functions: tuple[tuple[str, int], ...]
    is_accepted: bool

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {**self.__dict__, "functions": dict(self.functions)}


def look_at_queues(client: redis.Redis, keys: Keys, address: Address) -> list[Row]:
    """All queues, in the order of their names.  Raises farpool's errors."""
    overview = look(client, keys, address)
    names = [queue.name for queue in overview.queues if queue.waiting]
    with translated(address.masked):
        return [row for name in names for row in _rows(client, keys, name, address, overview)]


def _rows(client: redis.Redis, keys: Keys, queue: str, address: Address, overview: Overview) -> Iterable[Row]:
    accepted = {written for host in overview.hosts if queue in host.queues for written in host.accept}
    accepts_any = any(queue in host.queues for host in overview.hosts)
    now = datetime.fromtimestamp(overview.now, UTC)
    for written, found in sorted(waiting(client, keys, queue, address.masked).items()):
        age = None if found.oldest is None else max(0.0, (now - found.oldest).total_seconds())
        is_accepted = written in accepted or (written in (FARPOOL, NO_DATA) and accepts_any)
        functions = tuple(found.functions.most_common(MOST_FUNCTIONS))
        yield Row(queue, written, found.count, age, functions, is_accepted)


def shown(rows: Sequence[Row]) -> str:
    """A table, and below it what to do."""
    if not rows:
        return "Nothing waits."
    titles = ("queue", "format", "waiting", "oldest", "functions")
    lines = [(row.queue, row.format, row.waiting, _age(row.oldest_seconds), _functions(row)) for row in rows]
    return "\n".join([table(titles, lines), *advice(rows)])


def advice(rows: Iterable[Row]) -> list[str]:
    """What to do about jobs that no live host would run."""
    found = []
    for row in rows:
        where = f"queue {printable(row.queue, 40)}"
        if row.waiting >= MOST_LOOKED_AT:
            found.append(f"Only the first {MOST_LOOKED_AT:,} jobs of {where} were looked at.")
        if row.format == NO_DATA:
            found.append(f"{row.waiting:,} ids on {where} have no record: a worker drops or quarantines them.")
        elif row.format == "unknown":
            found.append(f"{row.waiting:,} jobs on {where} are in no format that farpool knows; a worker fails them.")
        elif not row.is_accepted and row.format == FARPOOL:
            found.append(f"{row.waiting:,} tasks wait on {where} and no host serves it. Start one: farpool worker")
        elif not row.is_accepted:
            found.append(
                f"{row.waiting:,} {row.format} jobs wait on {where} and no host there accepts {row.format}: start a "
                f"worker with --accept {row.format}, or give the producer's queue serializer=farpool.Serializer"
            )
    return found


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _functions(row: Row) -> str:
    return ", ".join(f"{name or '(unnamed)'} ({count:,})" for name, count in row.functions)
