"""A server and its hosts in memory: what ProducerBroker does, with chunks run by threads of this process."""

import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from farpool import Executor
from farpool_common.broker import Durability, Host, Question, Reply, StockEnd
from farpool_common.calls import Results, arguments, called, run_some
from farpool_common.codec import Encoded, Serializer
from farpool_common.delivery import all_failed, deliver
from farpool_common.errors import FarpoolError, QueueFullError, ResultExpiredError, ServerUnreachableError
from farpool_common.keys import Keys
from farpool_common.payload import Part
from farpool_common.preparing import Preparer
from farpool_common.task import NewTask, Ranges
from farpool_common.trust import Trust

DEADLINE = 30.0
"""No wait of a test takes this long unless something is broken."""


class FakeServer:
    """Tasks, reply streams and buffers, and threads that stand for the slots of one host per queue."""

    def __init__(self, slots: int = 2) -> None:
        self.slots = slots
        self.changed = threading.Condition()
        self.outage: FarpoolError | None = None
        """While set, every command fails with it."""
        self.refusal: FarpoolError | None = None
        """While set, every enqueue fails with it."""
        self.is_paused = False
        """While set, hosts take no task."""
        self.enqueued: list[NewTask] = []
        self.canceled: list[str] = []
        self.looks = self.failures = 0
        self.dropped_streams: list[str] = []
        self.queues: dict[str, deque[NewTask]] = {}
        self.status: dict[str, str] = {}
        self.streams: dict[str, list[Reply]] = {}
        self.buffers: dict[str, bytes] = {}
        self.quick_bytes = 0  # of buffers that are stored within the submit
        self._entries = 0
        self._is_stopped = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"fake-slot-{slot}", daemon=True) for slot in range(slots)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the hosts."""
        with self.changed:
            self._is_stopped = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join(DEADLINE)

    def set(self, **settings: Any) -> None:
        """Change `outage`, `refusal` or `is_paused`."""
        with self.changed:
            for name, value in settings.items():
                setattr(self, name, value)
            self.changed.notify_all()

    def forget_everything(self) -> None:
        """As FLUSHALL."""
        with self.changed:
            self.queues.clear()
            self.status.clear()
            self.streams.clear()

    def wait_until(self, is_true: Any) -> None:
        """Wait for a change after which `is_true()`."""
        with self.changed:
            assert self.changed.wait_for(is_true, DEADLINE), "it did not happen"

    # --- a host

    def _serve(self) -> None:
        preparer = Preparer(Trust(everything=True))
        while (task := self._next()) is not None:
            self._run(preparer, task)

    def _next(self) -> NewTask | None:
        with self.changed:
            while not self._is_stopped:
                for queue in self.queues.values():
                    while queue and not self.is_paused:
                        task = queue.popleft()
                        if self.status.get(task.id) == "queued":
                            self.status[task.id] = "started"
                            self.changed.notify_all()
                            return task
                self.changed.wait()
            return None

    def _run(self, preparer: Preparer, task: NewTask) -> None:
        _, _, (envelope, parts), _ = Serializer.loads(task.data)
        buffers = [memoryview(bytearray(self.buffers.pop(key))) for key, _, _ in parts]
        everything: Ranges = ((0, task.calls),)
        try:
            prepared = preparer.prepare(envelope, buffers)
        except Exception as error:
            for results in all_failed(error, everything):
                deliver(results, task.label, 2**30, lambda r, e: self._reply(task, r, e))
            return
        chunk, done = prepared.chunk, 0
        calls = arguments(chunk, 0, len(chunk))
        while done < task.calls:
            results = run_some(called(prepared.function, chunk), calls, done, [0, 0, 0, 0], 0.01)
            done = results.stop
            deliver(results, task.label, 2**30, lambda r, e: self._reply(task, r, e))

    def _reply(self, task: NewTask, results: Results, encoded: Encoded) -> None:
        with self.changed:
            if self.status.get(task.id) != "started":
                return
            last = results.stop == task.calls
            if last:
                self.status[task.id] = "finished"
            owner = f"{task.id}-{self._entries}"
            self.add_entry(task, encoded.envelope, last, self.store(owner, encoded.buffers))

    def add_entry(self, task: NewTask, envelope: bytes, last: bool, parts: Sequence[Part] = ()) -> None:
        """Append to the reply stream of a task."""
        with self.changed:
            self._entries += 1
            assert task.reply is not None
            entry = Reply(f"{self._entries}-0", task.id, "fake-host", 1, last, envelope, parts)
            self.streams.setdefault(task.reply, []).append(entry)
            self.changed.notify_all()

    def store(self, owner: str, buffers: Sequence[memoryview]) -> list[Part]:
        """Keep buffers."""
        parts = [Part(f"{owner}:{index}", len(buffer), 0) for index, buffer in enumerate(buffers)]
        self.buffers.update({part.key: bytes(buffer) for part, buffer in zip(parts, buffers, strict=True)})
        return parts


class FakeBroker:
    """One client's connection to a FakeServer."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.keys = Keys("fake")
        self.place = "fake://"
        self.is_closed = False

    def _check_outage(self) -> None:
        with self.server.changed:
            if self.server.outage is not None:
                self.server.failures += 1
                self.server.changed.notify_all()
                raise self.server.outage
        if self.is_closed:
            raise ServerUnreachableError("closed")

    def check(self) -> None:
        self._check_outage()

    def require(self, durability: Durability) -> None:
        self.durability = durability

    can_ask = True

    def waiting(self, queue: str) -> int:
        with self.server.changed:
            self._check_outage()
            return len(self.server.queues.get(queue, ()))

    def enqueue(
        self, queue: str, tasks: Sequence[NewTask], *, most: int | None = None, question: Question | None = None
    ) -> None:
        with self.server.changed:
            self._check_outage()
            if self.server.refusal is not None:
                raise self.server.refusal
            size = len(self.server.queues.get(queue, ()))
            new = [task for task in tasks if task.id not in self.server.status]
            if most is not None and new and size + len(new) > most:
                raise QueueFullError(queue, size, most)
            for task in tasks:
                if task.id not in self.server.status:
                    self.server.status[task.id] = "queued"
                    self.server.enqueued.append(task)
                    self.server.queues.setdefault(queue, deque()).append(task)
            self.server.changed.notify_all()

    def store(self, owner: str, buffers: Sequence[memoryview], queue: str) -> list[Part]:
        self._check_outage()
        return self.server.store(owner, buffers)

    def fetch(self, parts: Sequence[Part]) -> list[memoryview]:
        self._check_outage()
        for part in parts:
            if part.key not in self.server.buffers:
                raise ResultExpiredError(f"a stored buffer is gone ({part.key})")
        return [memoryview(bytearray(self.server.buffers[part.key])) for part in parts]

    def is_sharing(self, queue: str) -> bool:
        return False

    def drop_arguments(self, parts: Sequence[Part]) -> None:
        """Scripts remove what is in Redis."""

    def stores_quickly(self, nbytes: int) -> bool:
        return nbytes <= self.server.quick_bytes

    def trim(self) -> None:
        pass

    def forget(self, parts: Sequence[Part]) -> None:
        for part in parts:
            self.server.buffers.pop(part.key, None)

    def read_replies(self, question: Question, block_ms: int) -> list[Reply]:
        server, reply, seen = self.server, question.reply, int(question.after.partition("-")[0])

        def fresh() -> list[Reply]:
            stream = server.streams.get(reply, [])
            return [entry for entry in stream if int(entry.entry_id.partition("-")[0]) > seen]

        with server.changed:
            self._check_outage()
            server.streams[reply] = fresh()
            server.changed.wait_for(lambda: bool(server.outage or self.is_closed or fresh()), max(block_ms, 1) / 1000)
            self._check_outage()
            return fresh()

    def ask_anew(self) -> None:
        pass

    def cancel(self, task_ids: Sequence[str]) -> None:
        with self.server.changed:
            self._check_outage()
            self.server.canceled.extend(task_ids)
            for task_id in task_ids:
                if self.server.status.get(task_id) in ("queued", "started"):
                    self.server.status[task_id] = "canceled"
            self.server.changed.notify_all()

    def look(self, task_ids: Sequence[str]) -> dict[str, str | None]:
        with self.server.changed:
            self._check_outage()
            self.server.looks += 1
            self.server.changed.notify_all()
            return {task_id: self.server.status.get(task_id) for task_id in task_ids}

    def stock_end(self, task_id: str) -> StockEnd | None:
        return None

    def hosts(self, queue: str) -> list[Host]:
        self._check_outage()
        if not self.server.slots:
            return []
        return [Host("fake-host", "fake", os.getpid(), self.server.slots, 0, (queue,))]

    def let_go(self, question: Question) -> bool:
        self._check_outage()
        self.forget(question.taken)
        return True

    def drop_reply(self, reply: str) -> None:
        self._check_outage()
        self.server.dropped_streams.append(reply)
        with suppress(KeyError):
            del self.server.streams[reply]

    def close(self) -> None:
        with self.server.changed:
            self.is_closed = True
            self.server.changed.notify_all()


class FakeExecutor(Executor):
    """An Executor on a FakeServer."""

    def __init__(self, server: FakeServer, **options: Any) -> None:
        self.fake = server
        self._open_broker = lambda _: FakeBroker(server)  # type: ignore[method-assign,assignment,return-value]
        super().__init__("redis://fake:6379/0", **options)
