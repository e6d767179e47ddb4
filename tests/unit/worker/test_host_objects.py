"""What stays on a host and what goes, and what each child is told of it."""

import os

import pytest

from farpool_common.errors import DecodeError
from farpool_common.sealing import Sealer
from farpool_common.task import Task
from farpool_worker.buffers.host_objects import HostObjects, sealed
from farpool_worker.buffers.store import Segment
from farpool_worker.child.child_objects import ChildObjects
from farpool_worker.pipe.work import Kind, Work
from farpool_worker.pool.known_objects import KnownObjects
from farpool_worker.tasks.ledger import Ledger, Stage


def segments(nbytes: int = 100, content: bytes = b"") -> tuple[Segment, ...]:
    (found,) = Segment.reserve([nbytes])
    found.write(memoryview(content))
    return sealed([found])


def task(*objects: str) -> Task:
    return Task(
        id="t", execution="e", queue="q", data=b"", attempt=1, abandons=0, reply="r", calls=1, remaining=((0, 1),),
        parts=(), limit=None, retries=3, label="m:f", result_seconds=500, failure_seconds=None, objects=objects,
    )  # fmt: skip


def work(hold) -> Work:
    return Work("w", b"", Kind.CHUNK, ((0, 1),), 1, objects=hold.held)


def ids(frames) -> list[str]:
    return [frame.data for frame in frames]


def test_the_longest_unused_makes_room_and_what_is_used_stays():
    objects = HostObjects(250)
    first, second = objects.add("a", segments()), objects.add("b", segments())
    first.close()
    second.close()
    again = objects.hold(["a"])
    third = objects.add("c", segments())
    assert (objects.dropped(), objects.hold(["b"])) == (["b"], None)
    fourth = objects.add("d", segments())
    assert (objects.dropped(), len(objects)) == ([], 3)  # all in use: over the limit rather than stuck
    third.close()
    assert (objects.dropped(), objects.unused()) == (["c"], [])
    again.close()
    again.close()
    fourth.close()
    assert (objects.dropped(), objects.unused()) == ([], ["a", "d"])


def test_what_is_gone_from_the_server_goes_unless_it_is_used():
    objects = HostObjects(1000)
    used = objects.add("a", segments())
    objects.add("b", segments()).close()
    objects.drop(["a", "b", "never seen"])
    assert objects.dropped() == ["b"]
    used.close()
    objects.drop(["a"])
    assert (objects.dropped(), len(objects)) == (["a"], 0)


def test_a_task_without_its_objects_is_fetching_and_lets_go_of_them_at_its_end():
    objects, ledger = HostObjects(1000), Ledger()
    assert ledger.add(task("a"), objects.hold(["a"])).stage is Stage.FETCHING
    objects.add("a", segments()).close()
    held = ledger.add(task("a"), objects.hold(["a"]))
    assert (held.stage, objects.unused()) == (Stage.READY, [])
    ledger.remove(held)
    assert objects.unused() == ["a"]
    assert ledger.add(task(), objects.hold([])).stage is Stage.READY


def test_a_sealed_file_cannot_be_written_through_its_descriptor():
    (segment,) = segments(content=b"abc")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(segment.fd, b"x")
    assert os.pread(segment.fd, 3, segment.offset) == b"abc"


def test_a_child_is_sent_an_object_once_and_again_when_it_was_dropped():
    objects, known = HostObjects(1000), KnownObjects()
    a, b = objects.add("a", segments()), objects.add("b", segments())
    assert len(known.frames([work(a), work(a)])) == 1
    assert known.frames([work(a)]) == []
    assert [len(frame.files) for frame in known.frames([work(a), work(b)])] == [1]
    known.forget(["a", "never sent"])
    assert [len(frame.files) for frame in known.frames()] == [0]
    assert known.frames() == []
    assert [len(frame.files) for frame in known.frames([work(a)])] == [1]
    known.forget(["a"])
    assert [len(frame.files) for frame in known.frames([work(a)])] == [0, 1]


def test_more_objects_than_one_message_takes_go_in_several():
    objects, known = HostObjects(10**6), KnownObjects()
    hold = objects.joined(objects.add(str(number), segments(8)) for number in range(300))
    assert [len(frame.files) for frame in known.frames([work(hold)])] == [249, 51]


def test_a_child_reads_each_value_once_and_lets_go_of_what_is_dropped():
    child = ChildObjects()
    child.take([["a", 1]], segments(4, b"\x93\x01\x02\x03"), [])
    value = child.value("a", lambda name: int, Sealer(None))
    assert value == [1, 2, 3]
    assert child.value("a", lambda name: int, Sealer(None)) is value
    child.take([], [], ["a"])
    with pytest.raises(DecodeError, match="does not name stored object a"):
        child.value("a", lambda name: int, Sealer(None))
