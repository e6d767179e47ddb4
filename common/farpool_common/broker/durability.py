"""How safe a write is before it counts as done, chosen by whoever writes."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import redis

from farpool_common.broker.outages import translated
from farpool_common.errors import ServerBusyError, ServerUnsuitableError

WAIT_MS = 2000
"""How long the server may take for it; less than what a command may take (guess)."""

MARK_SECONDS = 60


FIRST_WITH_WAITAOF = (7, 2)
"""Of Redis; every Valkey has it."""


class Durability(StrEnum):
    """MEMORY: as safe as the server's own persistence makes it.  FSYNC: written to the server's disk.
    REPLICA: held by a replica as well."""

    MEMORY = "memory"
    FSYNC = "fsync"
    REPLICA = "replica"

    def command(self) -> tuple[Any, ...]:
        """What waits for it, on the connection that wrote."""
        return ("WAIT", 1, WAIT_MS) if self is Durability.REPLICA else ("WAITAOF", 1, 0, WAIT_MS)

    def check_reached(self, answer: Any, place: str) -> None:
        """Raises ServerBusyError when the write is not as safe as was asked for.  It may be there all the same."""
        count = answer[0] if isinstance(answer, Sequence) else answer
        if count < 1:
            what = "copied it to a replica" if self is Durability.REPLICA else "written it to its disk"
            raise ServerBusyError(f"{place} has not {what} within {WAIT_MS / 1000:g} s (durability {self})")

    def check_possible(self, client: redis.Redis, place: str) -> None:
        """Raises ServerUnsuitableError when this server cannot give it."""
        if self is Durability.MEMORY:
            return
        with translated(place):
            info = client.info()
        if self is Durability.FSYNC and "valkey_version" not in info and _release(info) < FIRST_WITH_WAITAOF:
            raise ServerUnsuitableError(f"durability {self} needs Redis 7.2 or Valkey 7.2 at {place}, for WAITAOF.")
        if self is Durability.FSYNC and not int(info.get("aof_enabled", 0)):
            raise ServerUnsuitableError(f"durability {self} needs an append-only file: set appendonly yes on {place}.")
        if self is Durability.REPLICA and not int(info.get("connected_slaves", 0)):
            raise ServerUnsuitableError(f"durability {self} needs a replica, and {place} has none connected.")


def _release(info: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(info.get("redis_version", "0")))[:2])
