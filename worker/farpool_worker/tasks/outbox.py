"""Results that Redis has not taken yet, in the order in which each task must send them.

They stay here through an outage and are sent again: delivering twice is harmless (a producer takes the
first outcome of a call), finishing twice is recognised by the execution's id.  Main thread only, but for
`parts`, which the transfer thread sets once.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from farpool_common.broker import OUTAGES, Delivery, Finish, JobEnd, Task, WorkerBroker, Written
from farpool_common.errors import ServerError, ServerRefusedError
from farpool_common.payload import Part
from farpool_worker.log import log

MOST_ITEMS = 200
MOST_BYTES = 4 * 1024 * 1024
"""One call of a script carries at most this, so that it stalls nobody for long."""


@dataclass
class Outcomes:
    """Outcomes of some calls of an executor's task.  `parts` is None while large values are being stored."""

    task: Task
    envelope: bytes
    span: tuple[int, int]
    is_last: bool
    seconds: float = 0.0
    parts: Sequence[Part] | None = ()


@dataclass
class Closing:
    """The end of an executor's task that has no further outcome to tell."""

    task: Task


Outgoing = Outcomes | Closing | JobEnd


@dataclass(frozen=True)
class Sent:
    """What a flush achieved: tasks that are over, tasks whose lease is somebody else's, and ends of jobs that
    RQ's own code must write, because other jobs depend on them."""

    ended: Sequence[str] = ()
    stale: Sequence[str] = ()
    not_plain: Sequence[JobEnd] = ()


class Outbox:
    """Holds and sends results."""

    def __init__(self, broker: WorkerBroker, before: Callable[[], None] | None = None) -> None:
        """`before` is called before results are sent, and may raise an outage."""
        self._broker = broker
        self._waiting: OrderedDict[str, deque[Outgoing]] = OrderedDict()
        self._before = before or _nothing

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: Outgoing) -> None:
        """Queue a result behind the earlier ones of its task."""
        self._waiting.setdefault(item.task.id, deque()).append(item)

    def has(self, task_id: str) -> bool:
        """True while results of this task wait."""
        return task_id in self._waiting

    def drop(self, task_id: str) -> None:
        """Forget a task's results: its lease is somebody else's."""
        self._waiting.pop(task_id, None)

    def flush(self) -> Sent:
        """Send what can be sent.  Raises an outage and keeps what was not confirmed."""
        ended: list[str] = []
        stale: list[str] = []
        not_plain: list[JobEnd] = []
        if self._waiting:
            self._before()
        while True:
            batch = self._next_batch()
            if not batch:
                return Sent(ended, stale, not_plain)
            for item, written in zip(batch, self._send_or_split(batch), strict=True):
                self._confirm(item)
                if not written:
                    stale.append(item.task.id)
                    self.drop(item.task.id)
                elif isinstance(item, JobEnd) and written is Written.NOT_PLAIN:
                    not_plain.append(item)
                elif not isinstance(item, Outcomes) or item.is_last:
                    ended.append(item.task.id)

    def _next_batch(self) -> list[Outgoing]:
        """The first results that wait, one per task and all of one kind."""
        batch: list[Outgoing] = []
        size = 0
        for item in self._heads():
            if batch and _kind(item) is not _kind(batch[0]):
                continue
            batch.append(item)
            size += _size(item)
            if len(batch) >= MOST_ITEMS or size >= MOST_BYTES:
                break
        return batch

    def _heads(self) -> Iterator[Outgoing]:
        for items in self._waiting.values():
            head = items[0]
            if not isinstance(head, Outcomes) or head.parts is not None:
                yield head

    def _send_or_split(self, batch: Sequence[Outgoing]) -> Sequence[bool | Written]:
        """Send a batch; if the server finds fault with something in it, each result alone.

        What it refuses even then (its reply key was spoiled, say) is given up, so that nothing else waits
        for it.  What a failed script had written already is recognised.
        """
        try:
            return self._send(batch)
        except OUTAGES:
            raise
        except ServerRefusedError:
            raise
        except ServerError as error:
            if len(batch) == 1:
                log.error("the result of task %s cannot be written: %s", batch[0].task.id, error)
                return [False]
        return [self._send_or_split([item])[0] for item in batch]

    def _send(self, batch: Sequence[Outgoing]) -> Sequence[bool | Written]:
        match _kind(batch[0]):
            case _Kind.SUCCESSES:
                return self._broker.succeed([item for item in batch if isinstance(item, JobEnd)])
            case _Kind.FAILURES:
                return self._broker.fail([item for item in batch if isinstance(item, JobEnd)])
            case _Kind.DELIVERIES:
                return self._broker.deliver([_delivery(item) for item in batch if isinstance(item, Outcomes)])
            case _Kind.FINISHES:
                return self._broker.finish([_finish(item) for item in batch if not isinstance(item, JobEnd)])

    def _confirm(self, item: Outgoing) -> None:
        items = self._waiting.get(item.task.id)
        if items:
            items.popleft()
            if not items:
                del self._waiting[item.task.id]


def _nothing() -> None:
    """Unless somebody has something to do."""


class _Kind(Enum):
    """What travels together: one kind, one script."""

    SUCCESSES = auto()
    FAILURES = auto()
    DELIVERIES = auto()
    FINISHES = auto()


def _kind(item: Outgoing) -> _Kind:
    if isinstance(item, JobEnd):
        return _Kind.SUCCESSES if item.error is None else _Kind.FAILURES
    return _Kind.DELIVERIES if isinstance(item, Outcomes) and not item.is_last else _Kind.FINISHES


def _size(item: Outgoing) -> int:
    match item:
        case Outcomes():
            return len(item.envelope)
        case JobEnd():
            return len(item.result or b"") + len(item.error or "")
        case _:
            return 0


def _delivery(item: Outcomes) -> Delivery:
    return Delivery(item.task, item.envelope, item.parts or (), item.span)


def _finish(item: Outcomes | Closing) -> Finish:
    if isinstance(item, Closing):
        return Finish(item.task)
    return Finish(item.task, item.envelope, item.parts or (), item.seconds)
