"""Keeps RQ's own code from ending a job whose lease was taken away: the fence that farpool's scripts have.

RQ ends a job in one transaction.  Ours also watches the key that a takeover touches, and looks for the lease
before it begins.  A transaction whose answer was lost is repeated only while the lease is there.
"""

from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import WatchError

from farpool_common.keys import Keys


class LeaseGoneError(Exception):
    """Another worker has taken the job over."""


class WrittenError(Exception):
    """The transaction whose answer was lost had been carried out."""


@dataclass(frozen=True)
class Fence:
    """What must be there (a member of a registry), and what must not be touched."""

    registry: str
    member: str
    watched: str
    counters: str

    @classmethod
    def of(cls, keys: Keys, queue: str, job_id: str, execution: str) -> "Fence":
        """The fence of one execution."""
        return cls(keys.started(queue), f"{job_id}:{execution}", keys.fence(job_id), keys.counters)


class FencedRedis(Redis):
    """A client over the same connections whose transactions happen only while the lease holds."""

    def __init__(self, client: Redis, fence: Fence) -> None:
        super().__init__(connection_pool=client.connection_pool)
        self._fence = fence

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "FencedPipeline":
        """As redis-py's."""
        found = FencedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        found.fence = self._fence
        return found


class FencedPipeline(Pipeline):
    """Its transactions raise LeaseGoneError instead of writing for an execution that is over."""

    fence: Fence
    _touched: Any = None  # what the watched key held at the first look
    _is_in_doubt = False  # a transaction was sent and its answer not seen

    def watch(self, *names: Any) -> Any:
        """Watch the fence besides.  Raises WrittenError when a transaction in doubt turns out to have happened."""
        answer: Any = super().watch(self.fence.watched, *names)  # type: ignore[no-untyped-call]
        lease, touched = self.zscore(self.fence.registry, self.fence.member), self.get(self.fence.watched)
        if lease is not None:
            self._touched = touched
            return answer
        self.reset()
        if self._is_in_doubt and touched == self._touched:
            raise WrittenError
        raise LeaseGoneError(f"its lease {self.fence.member} is gone")

    def _count_end(self) -> None:
        """Where the lease ends with this transaction, the books say so with it."""
        if any(command[0][:3] == ("ZREM", self.fence.registry, self.fence.member) for command in self.command_stack):
            self.hincrby(self.fence.counters, "by_rq", 1)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Run the transaction.  Where the caller watches nothing itself, it is also repeated here."""
        self._count_end()
        if self.watching:
            self._is_in_doubt = True
            return super().execute(raise_on_error)
        commands = list(self.command_stack)
        while commands:
            try:
                self.watch()
                self.command_stack, self.explicit_transaction = list(commands), True
                self._is_in_doubt = True
                return super().execute(raise_on_error)
            except WatchError:  # taken over, or the connection broke: the next look tells
                self.command_stack, self.explicit_transaction = [], False
            except WrittenError:
                break
        return []
