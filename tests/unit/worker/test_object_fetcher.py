"""The thread that brings objects: what becomes of outages, shortages and tasks that are over meanwhile."""

import errno
import os
import threading

import pytest

from farpool_common.errors import FarpoolError, ObjectExpiredError, ServerUnreachableError
from farpool_common.payload import Part, StoredObject
from farpool_common.task import Task
from farpool_worker.buffers.host_objects import HostObjects
from farpool_worker.tasks.ledger import Held
from farpool_worker.tasks.object_fetcher import ObjectFetcher

DEADLINE = 30.0


class FakeStored:
    """The server: objects of ten bytes each, and errors that come first."""

    def __init__(self, *ids: str) -> None:
        self.ids, self.errors, self.found = set(ids), [], []
        self.shortage = None

    def find(self, object_id):
        self.found.append(object_id)
        if self.errors:
            raise self.errors.pop(0)
        if object_id not in self.ids:
            raise ObjectExpiredError(object_id)
        return StoredObject(object_id, (Part("k", 10, 0),))

    def check_there(self, stored):
        pass

    def read(self, stored, write):
        if self.shortage is not None:
            raise self.shortage
        write(0, b"0123456789", 0)

    def gone(self, ids):
        return [name for name in ids if name not in self.ids]


def held(*objects: str) -> Held:
    task = Task(
        id="t", execution="e", queue="q", data=b"", attempt=1, abandons=0, reply="r", calls=1, remaining=((0, 1),),
        parts=(), limit=None, retries=3, label="m:f", result_seconds=500, failure_seconds=None, objects=objects,
    )  # fmt: skip
    return Held(task, task.remaining)


class Running:
    """A fetcher and its thread."""

    def __init__(self, stored: FakeStored, most_bytes: int = 1000, sweep_seconds: float = 1000) -> None:
        self.objects, self.changed = HostObjects(most_bytes), threading.Semaphore(0)
        self.fetcher = ObjectFetcher(stored, self.objects, sweep_seconds, self.changed.release)
        self._thread = threading.Thread(target=self.fetcher.run, args=(threading.Event(),))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.fetcher.close()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def fetch(self, *ids: str):
        self.fetcher.order(held(*ids))
        assert self.changed.acquire(timeout=DEADLINE)
        (fetched,) = self.fetcher.fetched()
        return fetched


def test_an_outage_is_waited_out():
    stored = FakeStored("a")
    stored.errors = [ServerUnreachableError("away"), ServerUnreachableError("away")]
    with Running(stored) as running:
        fetched = running.fetch("a")
    assert (fetched.error, [each.id for each in fetched.hold.held]) == (None, ["a"])
    (segment,) = fetched.hold.held[0].segments
    assert os.pread(segment.fd, segment.nbytes, segment.offset) == b"0123456789"


def test_what_is_here_is_not_fetched_again():
    stored = FakeStored("a", "b")
    with Running(stored) as running:
        first, second = running.fetch("a"), running.fetch("b", "a")
    assert (stored.found, first.hold.held[0] in second.hold.held) == (["a", "b"], True)


def test_one_that_is_gone_fails_the_task_and_the_others_are_let_go():
    with Running(FakeStored("a")) as running:
        fetched = running.fetch("a", "b")
        assert (type(fetched.error), fetched.hold) == (ObjectExpiredError, None)
        assert running.objects.unused() == ["a"]


def test_a_shortage_of_memory_fails_the_task():
    stored = FakeStored("a")
    stored.shortage = OSError(errno.ENOSPC, "no space")
    with Running(stored) as running:
        fetched = running.fetch("a")
    assert type(fetched.error) is FarpoolError
    assert "no shared memory for a stored object of 10 bytes" in str(fetched.error)


@pytest.mark.parametrize("most_bytes", [5, 15])
def test_objects_that_do_not_fit_together_come_all_the_same(most_bytes):
    with Running(FakeStored("a", "b"), most_bytes) as running:
        fetched = running.fetch("a", "b")
        assert [each.id for each in fetched.hold.held] == ["a", "b"]
        fetched.hold.close()
        assert running.objects.unused() == (["b"] if most_bytes > 10 else [])


def test_what_the_server_no_longer_has_is_dropped_when_nothing_uses_it():
    stored = FakeStored("a", "b")
    with Running(stored, sweep_seconds=0.01) as running:
        used = running.fetch("a")
        running.fetch("b").hold.close()
        stored.ids.clear()
        assert running.changed.acquire(timeout=DEADLINE)
        assert (running.objects.dropped(), len(running.objects)) == (["b"], 1)
        used.hold.close()
        assert running.changed.acquire(timeout=DEADLINE)
        assert running.objects.dropped() == ["a"]
