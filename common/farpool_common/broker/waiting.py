"""What waits in a queue: how it was written, since when, and what it calls."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis

from farpool_common.broker.connection import Scripts, text
from farpool_common.formats import format_of
from farpool_common.keys import Keys

PAGE = 200
"""Ids that one call of the script looks at, so that it holds the server for a moment only."""

MOST_LOOKED_AT = 100_000

HEAD_BYTES = 512
"""Of data: enough for the first byte of what zlib compressed."""

FARPOOL, NO_DATA = "farpool", "no data"
"""Shown instead of a format: tasks of executors, and ids whose record is gone."""


@dataclass
class Waiting:
    """Jobs of one format in one queue: how many, since when at the longest, and which functions."""

    count: int = 0
    oldest: datetime | None = None
    functions: Counter[str] = field(default_factory=Counter)

    def add(self, since: datetime | None, function: str) -> None:
        """Count one."""
        self.count += 1
        self.functions[function] += 1
        if since is not None and (self.oldest is None or since < self.oldest):
            self.oldest = since


def waiting(client: redis.Redis, keys: Keys, queue: str, place: str) -> dict[str, Waiting]:
    """What waits in a queue by format, among its first MOST_LOOKED_AT jobs.  Raises farpool's errors."""
    scripts, found = Scripts(client, place), dict[str, Waiting]()
    for first in range(0, MOST_LOOKED_AT, PAGE):
        rows = scripts.run("peek", [keys.queue(queue)], [keys.prefix, first, PAGE, HEAD_BYTES])
        for head, reply, enqueued, created, label, description in rows:
            function = text(label) or text(description).partition("(")[0]
            written = FARPOOL if reply else format_of(head) if head else NO_DATA
            found.setdefault(written, Waiting()).add(_moment(enqueued or created), function)
        if len(rows) < PAGE:
            break
    return found


def _moment(raw: bytes) -> datetime | None:
    try:
        return datetime.strptime(text(raw), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None
