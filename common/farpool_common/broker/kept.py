"""Results that stay on the server, for whoever has the id: of a task that is kept, or of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from farpool_common.broker.connection import connect, text
from farpool_common.broker.outages import translated
from farpool_common.broker.payloads import Payloads
from farpool_common.broker.replies import Reply, reply_of
from farpool_common.broker.stock import JobResult, StockEnd, job_result, stock_end
from farpool_common.keys import Keys
from farpool_common.payload import Part

_ENDED = ("finished", "failed", "stopped", "canceled")


@dataclass(frozen=True)
class Record:
    """What the record of a task says; `status` is None when there is none.  `keep`: seconds that its outcome is kept,
    `ended_at` as RQ writes it.  `is_call`: of an executor, else a job.  `seen` is the last result of a job so far."""

    status: str | None
    is_call: bool
    keep: int | None
    ended_at: str
    seen: str

    @property
    def has_ended(self) -> bool:
        """Whether there will be no other result."""
        return self.status in _ENDED


class KeptResults:
    """One connection, of one thread.  Raises only farpool's errors."""

    def __init__(self, url: str, keys: Keys, place: str) -> None:
        self._client, self._keys, self.place = connect(url, timeout=30.0), keys, place
        self._payloads = Payloads(connect(url, bulk=True, timeout=30.0), keys, place)

    def record(self, task_id: str) -> Record:
        """What is known of a task."""
        with translated(self.place):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.hmget(self._keys.job(task_id), ["status", "farpool_reply", "farpool_keep", "ended_at"])
            pipeline.xrevrange(self._keys.results(task_id), count=1)
            found: Any = pipeline.execute()
        (status, reply, keep, ended_at), results = found
        seconds = int(keep) if keep and keep.isdigit() else None
        seen = text(results[0][0]) if results else "0"
        return Record(text(status) if status else None, reply is not None, seconds, text(ended_at or b""), seen)

    def outcome(self, task_id: str) -> Reply | None:
        """The outcome of a call that is kept."""
        with translated(self.place):
            found: Any = self._client.xrange(self._keys.kept(task_id), count=1)
        return reply_of(text(found[0][0]), found[0][1], self._keys.prefix) if found else None

    def stock_end(self, task_id: str) -> StockEnd | None:
        """How RQ's own worker ended a call.  Raises DecodeError."""
        with translated(self.place):
            return stock_end(self._client, self._keys, task_id)

    def job_result(self, task_id: str) -> JobResult | None:
        """The last result of a job.  Raises DecodeError."""
        with translated(self.place):
            return job_result(self._client, self._keys, task_id)

    def wait(self, task_id: str, seen: str, seconds: float) -> None:
        """Return when there may be a result, newer than what was seen of a job, or after so many seconds."""
        streams: dict[Any, Any] = {self._keys.kept(task_id): "0", self._keys.results(task_id): seen}
        with translated(self.place):
            self._client.xread(streams, count=1, block=max(1, int(seconds * 1000)))

    def fetch(self, parts: Sequence[Part]) -> list[memoryview]:
        """The buffers of an outcome, writable.  Raises ResultExpiredError or DecodeError."""
        return [self._payloads.fetch(part) for part in parts]

    def close(self) -> None:
        """Drop the connections."""
        self._payloads.close()
        self._client.close()
