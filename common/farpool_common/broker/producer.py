"""The broker as a producer sees it: enqueue, read replies, cancel, look."""

from collections.abc import Sequence
from typing import Any

from farpool_common.broker.buffers import Buffers
from farpool_common.broker.connection import Scripts, connect, masked, text
from farpool_common.broker.durability import Durability
from farpool_common.broker.hosts import Host, live_hosts
from farpool_common.broker.outages import as_farpool_error, translated
from farpool_common.broker.payloads import Payloads
from farpool_common.broker.replies import Question, Replies, Reply
from farpool_common.broker.server import check_server
from farpool_common.broker.stock import StockEnd, stock_end
from farpool_common.errors import QueueFullError, SpoiledKeyError
from farpool_common.keys import Keys
from farpool_common.payload import Part, pack_parts
from farpool_common.shared import forget_arguments
from farpool_common.task import NewTask

CANCELED_SECONDS = 24 * 3600
"""How long the record of a canceled task stays, so that its id is recognised when it is popped."""


class ProducerBroker:
    """Thread-safe.  Every method raises only farpool's errors; see `outages` for those worth a repeat."""

    def __init__(self, url: str, keys: Keys | None = None) -> None:
        self.keys = keys or Keys()
        self.place = masked(url)
        self._durability = Durability.MEMORY
        self._client = connect(url)
        self._bulk = connect(url, bulk=True, timeout=30.0)
        self._waiting = connect(url, timeout=30.0)
        self._replies = Replies(self._waiting, self.keys, self.place)
        self._scripts = Scripts(self._client, self.place)
        self._payloads = Payloads(self._bulk, self.keys, self.place)
        self._buffers = Buffers(self._payloads)

    def check(self) -> None:
        """Raise ServerUnreachableError, ServerRefusedError or ServerUnsuitableError, or return."""
        check_server(self._client, self.place)
        self._durability.check_possible(self._client, self.place)

    def require(self, durability: Durability) -> None:
        """From now on `enqueue` returns only when tasks are so safe."""
        self._durability = durability

    def enqueue(
        self, queue: str, tasks: Sequence[NewTask], *, most: int | None = None, question: Question | None = None
    ) -> None:
        """Append tasks to a queue in one step.  May be repeated after any doubt: ids are recognised.

        `question`: read replies next; it saves a round trip to ask at once.  For the thread that may read now, while
        it `can_ask`.
        Raises QueueFullError, with nothing written, when the queue would then hold more than `most` tasks.
        """
        args: list[Any] = [self.keys.prefix, "" if most is None else most, queue]
        for task in tasks:
            fields = _record(task, self._buffers.folder(queue))
            buffers = [item for part in task.parts for item in (part.key, part.pieces)]
            args += [task.id, len(fields), *fields, len(task.parts), *buffers]
        _, waiting, is_full = self._enqueue([self.keys.queue(queue), self.keys.queues], args, question)
        if is_full and most is not None:
            raise QueueFullError(queue, waiting, most)

    def _enqueue(self, keys: list[str], args: list[Any], question: Question | None) -> Any:
        if question is not None:
            answer = self._replies.ask_behind(self._scripts.command("enqueue", keys, args), question)
            if not isinstance(answer, Exception):
                return answer  # else it is sent again, and says the same, or the script is there then
        return self._scripts.run_durably("enqueue", keys, args, self._durability, self.keys.mark)

    @property
    def can_ask(self) -> bool:
        """Whether a question may go with an enqueue: none waits already, and no disk or replica is waited for."""
        return self._durability is Durability.MEMORY and not self._replies.is_asked

    def waiting(self, queue: str) -> int:
        """How many tasks a queue holds."""
        with translated(self.place):
            count: Any = self._client.llen(self.keys.queue(queue))
        return int(count)

    def store(self, owner: str, buffers: Sequence[memoryview], queue: str = "") -> list[Part]:
        """Write large buffers of a task's arguments: in memory that all hosts of its queue share, else in Redis, where
        they expire unless the task is enqueued."""
        return self._buffers.store(owner, buffers, queue)

    def stores_quickly(self, nbytes: int) -> bool:
        """Whether `store` has so few bytes on the server in a few milliseconds, as far as is known."""
        return self._payloads.is_quick(nbytes)

    def is_sharing(self, queue: str) -> bool:
        """Whether buffers for this queue go to memory that all its hosts share, by what they said just now."""
        return self._buffers.is_sharing(queue)

    def fetch(self, parts: Sequence[Part]) -> list[memoryview]:
        """The buffers of an outcome, writable.  Raises ResultExpiredError or DecodeError."""
        return self._buffers.fetch(parts)

    def trim(self) -> None:
        """Give memory back that was kept for large results."""
        self._payloads.trim()

    def forget(self, parts: Sequence[Part]) -> None:
        """Remove buffers that have been read, or that nobody will read."""
        self._buffers.forget(parts)

    def drop_arguments(self, parts: Sequence[Part]) -> None:
        """The task of these arguments is over.  Scripts remove what is in Redis; this removes what is shared."""
        forget_arguments(parts)

    def read_replies(self, question: Question, block_ms: int) -> list[Reply]:
        """Entries of a reply stream, waiting up to `block_ms` for the first.  One thread at a time."""
        return self._replies.read(question, block_ms)

    def ask_anew(self) -> None:
        """Let the next read ask again, should the stream have become something else meanwhile."""
        self._replies.ask_anew()

    def cancel(self, task_ids: Sequence[str]) -> None:
        """Drop tasks that wait; ask the workers of those that run to stop them."""
        self._scripts.run("cancel", [], [self.keys.prefix, CANCELED_SECONDS, *task_ids])

    def look(self, task_ids: Sequence[str]) -> dict[str, str | None]:
        """The status of each task; None when the server has no record of it, or something else in its place."""
        with translated(self.place):
            pipeline = self._client.pipeline(transaction=False)
            for task_id in task_ids:
                pipeline.hget(self.keys.job(task_id), "status")
            states = [self._status(answer) for answer in pipeline.execute(raise_on_error=False)]
        return dict(zip(task_ids, states, strict=True))

    def _status(self, answer: Any) -> str | None:
        if isinstance(answer, Exception):
            if isinstance(as_farpool_error(answer, self.place), SpoiledKeyError):
                return None
            raise answer
        return text(answer) if answer else None

    def stock_end(self, task_id: str) -> StockEnd | None:
        """How RQ's own worker ended a task; None when none did.  Raises DecodeError."""
        with translated(self.place):
            return stock_end(self._client, self.keys, task_id)

    def hosts(self, queue: str) -> list[Host]:
        """Live daemons that serve a queue."""
        with translated(self.place):
            hosts = live_hosts(self._client, self.keys, queue)
        self._buffers.share(queue, [host.folder for host in hosts])
        return hosts

    def let_go(self, question: Question) -> bool:
        """Remove what a question would remove, should there be none for a while.  False while one waits: later then.

        For the thread that may read.
        """
        return self._replies.let_go(question)

    def drop_reply(self, reply: str) -> None:
        """Remove a reply stream that nobody will read any more."""
        with translated(self.place):
            self._client.unlink(reply)

    def close(self) -> None:
        """Close all connections; a read that waits in another thread ends with ServerUnreachableError."""
        self._replies.close()
        self._scripts.close()
        self._payloads.close()
        for client in (self._client, self._bulk, self._waiting):
            client.close()


def _record(task: NewTask, folder: str | None) -> list[Any]:
    """The fields in which records differ; the script adds those that RQ writes for every plain job."""
    fields: list[Any] = ["data", task.data, "description", task.description, "timeout", task.timeout]
    fields += ["farpool_label", task.label, "farpool_calls", task.calls, "farpool_retries", task.retries]
    if task.reply is not None:
        fields += ["farpool_reply", task.reply]
        if folder is not None and task.keep is None:  # who asks for what is kept may be on another host
            fields += ["farpool_folder", folder]
    if task.keep is not None:
        fields += ["farpool_keep", task.keep, "result_ttl", task.keep]  # the latter for a stock worker
    if task.limit is not None:
        fields += ["farpool_limit", f"{task.limit:.6f}"]
    if task.parts:
        fields += ["farpool_parts", pack_parts(task.parts)]
    if task.objects:
        fields += ["farpool_objects", " ".join(task.objects)]
    return fields
