"""What waits in a child behind a long call goes to another one, and each call runs once."""

import os
import signal
import time
from dataclasses import replace

import pytest
from pool_driver import Driver, chunk, crashes, ended, plain, values, wait_for_file

from farpool_common.task import without
from farpool_worker.pool.events import Ended, Returned, TakenBack
from farpool_worker.pool.take_back import LONG_SECONDS


@pytest.fixture
def keeper():
    """A pool with two children, as the daemon has it."""
    with Driver(long_seconds=LONG_SECONDS) as found:
        found.wait_idle()
        yield found


@pytest.fixture
def long_call(keeper, tmp_path):
    """Slot 0 is in a call that ends when the test says so; two calls of its chunk and two works wait behind it."""
    return Long(keeper, tmp_path)


class Long:
    def __init__(self, driver, folder):
        self.driver, self.started, self.go, self.journal = driver, folder / "pid", folder / "go", folder / "journal"
        rows = [(str(self.journal), "long", str(self.started), str(self.go))]
        rows += [(str(self.journal), f"rest{n}") for n in (1, 2)]
        self.works = {
            "long": chunk("pool_tasks:told", *rows, id="long"),
            "next": chunk("pool_tasks:told", (str(self.journal), "next"), id="next"),
            "job": plain("pool_tasks.told", str(self.journal), "job", id="job"),
        }
        driver.pool.send(0, list(self.works.values()))
        self.pid = int(wait_for_file(self.started))

    def taken(self):
        return self.driver.until(lambda events: len(_taken(events)) >= 3)

    def ran(self):
        return self.journal.read_text().split()


def _taken(events):
    return {event.work_id: event.unstarted for event in events if isinstance(event, TakenBack)}


def test_what_waits_behind_a_long_call_is_taken_back_while_it_runs_the_last_first(keeper, long_call):
    events = [event for event in long_call.taken() if isinstance(event, TakenBack)]
    assert [(event.work_id, event.unstarted) for event in events] == [
        ("job", ((0, 1),)), ("next", ((0, 1),)), ("long", ((1, 3),)),
    ]  # fmt: skip
    assert long_call.ran() == ["long"]
    assert keeper.pool.holds("long")
    assert not keeper.pool.holds("next")


def test_a_child_runs_nothing_of_what_was_taken_from_it_and_then_takes_new_work(keeper, long_call):
    long_call.taken()
    long_call.go.touch()
    events = keeper.until(lambda events: ended(events) == 1 and 0 in keeper.pool.idle())
    assert values(events) == {0: "long"}
    assert [event.unstarted for event in events if isinstance(event, Ended)] == [()]
    assert values(keeper.run(chunk("pool_tasks:told", (str(long_call.journal), "new")), slot=0)) == {0: "new"}
    assert long_call.ran() == ["long", "new"]


def test_what_was_taken_back_runs_in_another_child_before_the_long_call_ends(keeper, long_call):
    taken = _taken(long_call.taken())
    again = [replace(long_call.works[name], ranges=ranges, expected=60.0) for name, ranges in taken.items()]
    events = keeper.run(*reversed(again), slot=1)
    assert [values([e for e in events if e.work_id == work_id]) for work_id in ("long", "next")] == [
        {1: "rest1", 2: "rest2"}, {0: "next"},
    ]  # fmt: skip
    assert sum(isinstance(event, Returned) for event in events) == 1
    long_call.go.touch()
    assert values(keeper.until(ended)) == {0: "long"}
    assert sorted(long_call.ran()) == ["job", "long", "next", "rest1", "rest2"]


def test_a_crash_after_that_costs_the_long_call_alone(keeper, long_call):
    long_call.taken()
    os.kill(long_call.pid, signal.SIGKILL)
    (crash,) = crashes(keeper.until(crashes))
    assert (crash.running, crash.lost) == (("long", 0), (("long", ((0, 1),)),))


def test_a_crash_of_who_has_the_rest_leaves_the_long_call_alone(keeper, long_call):
    long_call.taken()
    keeper.pool.send(1, [chunk("pool_tasks:leave", (0,), (1,), (2,), id="long", ranges=((1, 3),))])
    (crash,) = crashes(keeper.until(crashes))
    assert (crash.slot, crash.running, crash.lost) == (1, ("long", 1), (("long", ((1, 3),)),))
    long_call.go.touch()
    assert values(keeper.until(ended)) == {0: "long"}


def test_a_work_in_two_children_is_killed_in_both(keeper, long_call, tmp_path):
    long_call.taken()
    started = tmp_path / "other"
    rows = [(str(long_call.journal), "x"), (str(long_call.journal), "rest1", str(started), str(tmp_path / "never"))]
    keeper.pool.send(1, [chunk("pool_tasks:told", *rows, id="long", ranges=((1, 2),))])
    wait_for_file(started)
    assert keeper.pool.kill("long")
    found = crashes(keeper.until(lambda events: len(crashes(events)) == 2))
    assert sorted(crash.running for crash in found) == [("long", 0), ("long", 1)]


def test_a_work_that_waits_is_taken_back_at_once_when_it_is_to_be_killed(keeper, tmp_path):
    """Though the child is stopped, and nothing else would be taken from it."""
    first = chunk("pool_tasks:told", (str(tmp_path / "j"), "a", str(tmp_path / "pid"), str(tmp_path / "go")), id="a")
    keeper.pool.send(0, [first, chunk("pool_tasks:noop", (1,), id="b")])
    os.kill(int(wait_for_file(tmp_path / "pid")), signal.SIGSTOP)
    assert keeper.pool.kill("b") is False
    assert _taken(keeper.until(_taken)) == {"b": ((0, 1),)}


def test_a_limit_holds_for_the_long_call_after_the_rest_was_taken(keeper, tmp_path):
    rows = [(str(tmp_path / "j"), "a", str(tmp_path / "pid"), str(tmp_path / "never")), (str(tmp_path / "j"), "b")]
    keeper.pool.send(0, [chunk("pool_tasks:told", *rows, limit=0.3)])
    events = keeper.until(ended)
    assert _taken(events) == {"work": ((1, 2),)}
    assert values(events)[0].type_name.endswith("TaskTimeoutError")


@pytest.mark.parametrize("seed", range(20))
def test_a_child_that_is_stopped_at_any_moment_begins_nothing_that_was_taken_from_it(keeper, tmp_path, seed):
    """Stopped after this many microseconds of short calls: between any two of its steps, sometimes."""
    journal = tmp_path / "journal"
    calls = 3000
    work = chunk("pool_tasks:told", *[(str(journal), str(n)) for n in range(calls)])
    keeper.pool.send(0, [work])
    wait_for_file(journal)
    time.sleep(seed * 137e-6)
    pid = keeper.pool.pids()[0]
    os.kill(pid, signal.SIGSTOP)
    keeper.pool.stop_at_next_call()
    events = keeper.until(lambda _: keeper.pool.next_tick(time.monotonic()) is None)
    os.kill(pid, signal.SIGCONT)
    events += keeper.until(lambda more: ended(events + more))
    (given,) = [event.unstarted for event in events if isinstance(event, Ended)]
    taken = _taken(events).get("work", ())
    told = [(call, call + 1) for call in values(events)]
    assert without(without(without(((0, calls),), told), taken), given) == ()
    assert [int(line) for line in journal.read_text().split()] == sorted(values(events)), "each ran once, and was told"


def test_a_child_that_prepares_for_long_is_not_made_to_begin_again(keeper):
    """Its own calls are not taken from it, or they would be for ever; what waits behind is."""
    slow = chunk("slow_module:answer", (), (), id="slow")
    keeper.pool.send(0, [slow, chunk("pool_tasks:noop", (1,), id="behind")])
    events = keeper.until(lambda events: ended(events) == 1)
    assert _taken(events) == {"behind": ((0, 1),)}
    assert values(events) == {0: 42, 1: 42}
