"""What is taken back from a child is not begun by it, wherever either of them is stopped.

The child runs here, in this process, on a cursor that lets the daemon's side have a look whenever the child
touches it.  So each test tries every moment at which the child could be stopped.
"""

import time

import msgpack
import pool_driver
import pool_tasks
import pytest

from farpool_common.calls import CALL, LAST, STOP, WORK
from farpool_common.task import count
from farpool_common.trust import Trust
from farpool_worker.child.child import Child, Manners
from farpool_worker.job_options import JobOptions
from farpool_worker.pipe.channel import Message
from farpool_worker.pipe.slate import new_slate
from farpool_worker.pool.assignment import Assignment
from farpool_worker.pool.events import Ended, Progress, TakenBack
from farpool_worker.pool.take_back import TakeBack

LATER = 1000.0
"""Seconds after which everything is long."""

CALLS = {"a": 3, "b": 2, "c": 1}


class Cursor(list):
    """Calls `touched` before each of the child's reads and writes."""

    def __init__(self):
        super().__init__([0, 0, -1, 0, 0])
        self.touched = lambda: None

    def __setitem__(self, word, value):
        self.touched()
        super().__setitem__(word, value)

    def __getitem__(self, word):
        self.touched()
        return super().__getitem__(word)


class Pipe:
    """What the child says, as the daemon reads it."""

    def __init__(self):
        self.messages = []

    def write(self, frames):
        for frame in frames:
            fields, _ = msgpack.unpackb(frame.data[8:])
            self.messages.append(Message(fields, ()))


class Scene:
    """A child with three works, and a daemon that looks at it at some of the moments when it touches the cursor."""

    def __init__(self, *looks_at, asks_at=None):
        self.cursor, self.pipe, self.events = Cursor(), Pipe(), []
        self.assignment = Assignment(1, self.cursor)
        self.take_back = TakeBack(self.cursor, self.assignment, 0.01)
        self.looks_at, self.asks_at = looks_at, asks_at
        self.touches, self.now, self.is_daemon = 0, time.monotonic() + LATER, False

    def play(self):
        works = [
            pool_driver.chunk("pool_tasks:noted", *[(name, call) for call in range(calls)], id=name)
            for name, calls in CALLS.items()
        ]
        child = Child(
            self.pipe, self.cursor, Trust(everything=True), Manners(1.0, 1_000_000, JobOptions()), new_slate()
        )
        pool_tasks.noted_calls.clear()
        rows = self.assignment.add(works)
        self.take_back.sent(time.monotonic())
        self.cursor.touched = self.touched
        child._run_all(msgpack.unpackb(msgpack.packb(rows)), [])
        self.cursor.touched = lambda: None
        self.hear()
        return self

    def touched(self):
        if self.is_daemon:
            return
        self.is_daemon = True
        self.touches += 1
        if self.touches == self.asks_at:
            self.take_back.ask(self.now)
        # The first look of all only notes the place, the second one asks.
        for _ in range(self.looks_at.count(self.touches) * 2):
            self.now += LATER
            self.events += self.take_back.look(self.now, None)
        self.is_daemon = False

    def hear(self):
        self.events += [event for message in self.pipe.messages if (event := self.assignment.event(message))]

    def calls(self, kind, field="unstarted"):
        """The calls that events of a kind are about, with repetitions."""
        return [
            (event.work_id, call)
            for event in self.events
            if isinstance(event, kind)
            for start, stop in getattr(event, field)
            for call in range(start, stop)
        ]

    def check(self):
        """Each call was run and told of, or taken back, or given back; and it was exactly one of these."""
        ran, told = pool_tasks.noted_calls, self.calls(Progress, "ranges")
        assert told == ran, "what ran was told, once and in order"
        everything = [(name, call) for name, calls in CALLS.items() for call in range(calls)]
        assert sorted(ran + self.calls(TakenBack) + self.calls(Ended)) == everything
        assert not self.assignment, "the child is idle"
        return self


def moments():
    """How often the child touches the cursor when nobody is in its way."""
    return range(1, Scene().play().check().touches + 1)


def test_a_child_that_nobody_asks_runs_everything():
    assert len(Scene().play().check().calls(Progress, "ranges")) == sum(CALLS.values())


def test_whenever_the_child_is_asked_and_whenever_the_daemon_takes_each_call_has_one_fate():
    fates = set()
    for first in moments():
        for second in range(first, moments()[-1] + 1):
            scene = Scene(first, second).play().check()
            fates.add((len(scene.calls(TakenBack)), len(scene.calls(Ended))))
    assert len({taken for taken, _ in fates}) > 4, "much was taken, and little"
    assert max(given for _, given in fates) > 0, "some came back by itself"


def test_a_daemon_that_looks_and_looks_again_takes_nothing_twice():
    for first in moments():
        every = [moment for moment in moments() if moment >= first]
        Scene(*every).play().check()


def test_after_a_stop_request_what_has_not_begun_is_taken_or_given_back_whenever_it_comes():
    for asked in moments():
        for second in range(asked, moments()[-1] + 1):
            scene = Scene(second, asks_at=asked).play().check()
            begun = len(scene.calls(Progress, "ranges"))
            assert begun == len([1 for call in pool_tasks.noted_calls])


def at_a_call(work, call, name="pool_tasks:echo"):
    """A scene in which the child is in a call, and says nothing."""
    scene = Scene()
    works = [pool_driver.chunk(name, *[(i,) for i in range(n)], id=work_id) for work_id, n in CALLS.items()]
    scene.assignment.add(works)
    scene.take_back.sent(time.monotonic())
    scene.cursor[1], scene.cursor[2], scene.cursor[3] = work, call, time.monotonic_ns()
    assert not scene.take_back.look(scene.now, None)
    scene.now += 1
    return scene


def test_behind_a_call_lie_the_rest_of_its_work_and_all_later_works():
    scene = at_a_call(1, 1)
    assert not scene.take_back.look(scene.now, None)
    assert scene.cursor[STOP] == 1
    taken = scene.take_back.look(scene.now + 1, None)
    assert [(event.work_id, event.unstarted) for event in taken] == [
        ("c", ((0, 1),)), ("b", ((0, 2),)), ("a", ((2, 3),)),
    ]  # fmt: skip
    assert scene.assignment.lost() == (("a", ((0, 2),)),)


@pytest.mark.parametrize("call", [-2, -3])
def test_before_and_between_the_calls_of_a_work_it_goes_on_and_later_works_are_taken(call):
    scene = at_a_call(1, call)
    assert not scene.take_back.look(scene.now, None)
    assert (scene.cursor[STOP], scene.cursor[LAST]) == (0, 1)
    taken = scene.take_back.look(scene.now + 1, None)
    assert [event.work_id for event in taken] == ["c", "b"]
    assert count(dict(scene.assignment.lost())["a"]) == 3


def test_a_child_that_has_not_taken_anything_up_keeps_the_first_work():
    scene = at_a_call(0, -1)
    scene.take_back.look(scene.now, None)
    assert [event.work_id for event in scene.take_back.look(scene.now + 1, None)] == ["c", "b"]


@pytest.mark.parametrize(("work", "call"), [(3, 0), (3, -2)])
def test_nobody_looks_when_nothing_waits(work, call):
    scene = at_a_call(work, call)
    for number in (1, 2):
        scene.assignment.event(Message(["ended", number], ()))
    scene.now += LATER
    scene.take_back.look(scene.now, None)
    assert scene.take_back.next_look(scene.now, None) is None


def test_a_child_that_goes_on_to_the_next_work_while_its_place_is_read_is_in_that_work():
    scene = at_a_call(1, 2)
    scene.is_daemon = True

    class GoingOn(Cursor):
        def __getitem__(self, word):
            if word == CALL and list.__getitem__(self, WORK) == 1:
                list.__setitem__(self, CALL, 0)
                list.__setitem__(self, WORK, 2)
            return list.__getitem__(self, word)

    moving = GoingOn()
    moving[WORK], moving[CALL] = 1, 2
    scene.assignment._cursor = moving
    place = scene.assignment.place()
    assert (place.work, place.call) == (2, 0)


def test_a_cursor_that_a_task_has_spoiled_is_no_place():
    scene = at_a_call(-7, 0)
    for _ in range(3):
        scene.now += LATER
        assert not scene.take_back.look(scene.now, None)
    assert count(dict(scene.assignment.lost())["a"]) == 3


def test_a_call_that_takes_as_long_as_expected_is_long_only_while_another_child_has_nothing_to_do():
    scene = Scene()
    work = pool_driver.chunk("pool_tasks:echo", (1,), (2,), id="a")
    object.__setattr__(work, "expected", 1.0)
    scene.assignment.add([work])
    now = time.monotonic()
    scene.take_back.sent(now)
    scene.cursor[1], scene.cursor[2], scene.cursor[3] = 1, 0, int(now * 1e9)
    assert 2.5 < scene.take_back.next_look(now + 0.5, None) < 3.0
    assert scene.take_back.next_look(now + 0.5, now + 0.6) == pytest.approx(0.1)
    assert scene.take_back.next_look(now + 0.5, now) < 0
