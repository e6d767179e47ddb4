"""The books: every lease that was ever given has ended in one way, or is held."""

from dataclasses import dataclass

import redis

from farpool_common.broker.connection import Scripts
from farpool_common.keys import Keys


@dataclass(frozen=True)
class Balance:
    """Leases since the server has data.  `claimed` is the sum of the next seven at any moment.

    `by_rq`: ended by RQ's own code in a child; `removed`: the job was deleted or ended by somebody else meanwhile.
    `stale`: results that were refused, because the lease had been taken away; `dropped`: ids that were in a queue
    and had ended, had no record, or were running.  These two are no leases.
    """

    claimed: int = 0
    finished: int = 0
    failed: int = 0
    by_rq: int = 0
    released: int = 0
    abandoned: int = 0
    removed: int = 0
    leased: int = 0
    stale: int = 0
    dropped: int = 0
    quarantined: int = 0

    @property
    def missing(self) -> int:
        """Leases of which nobody knows what became of them: 0, unless jobs or keys were deleted."""
        ended = self.finished + self.failed + self.by_rq + self.released + self.abandoned + self.removed
        return self.claimed - ended - self.leased

    def __str__(self) -> str:
        ways = ("finished", "failed", "by_rq", "released", "abandoned", "removed", "leased")
        parts = [f"{getattr(self, way):,} {way.replace('_', ' ')}" for way in ways if getattr(self, way)]
        return f"{self.claimed:,} claimed = {' + '.join(parts) or '0'}"


def balance(client: redis.Redis, keys: Keys, place: str) -> Balance:
    """Read the books, all at one moment.  Raises farpool's errors."""
    names = [name for name in Balance.__dataclass_fields__ if name != "leased"]
    values, leased = Scripts(client, place).run("balance", [], [keys.prefix, *names])
    return Balance(**dict(zip(names, map(_number, values), strict=False)), leased=leased)


def _number(value: bytes | None) -> int:
    """A counter; 0 where somebody spoiled it."""
    try:
        return int(value or 0)
    except ValueError:
        return 0
