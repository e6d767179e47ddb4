"""Events, conditions and barriers behave as multiprocessing's do."""

import threading

import pytest
from daemons import wait_for


def test_an_event_wakes_all_who_wait_and_stays_set(tools, background):
    event = tools.Event()
    assert event.is_set() is False
    waiting = [background(event.wait) for _ in range(5)]
    assert all(each.is_waiting() for each in waiting)
    event.set()
    assert [each.result() for each in waiting] == [True] * 5
    assert event.is_set() is True
    assert event.wait() is True


def test_an_event_that_is_not_set_is_waited_for_until_the_timeout(tools):
    event = tools.Event()
    assert event.wait(0.05) is False
    assert event.wait(0) is False
    event.set()
    assert event.wait(0) is True
    event.clear()
    assert event.wait(0.05) is False
    assert event.is_set() is False


def test_an_event_that_was_cleared_can_be_waited_for_again(tools, background):
    event = tools.Event()
    for _ in range(3):
        waiting = background(event.wait)
        assert waiting.is_waiting()
        event.set()
        assert waiting.result() is True
        event.clear()


@pytest.fixture(params=["its own lock", "Lock", "RLock"])
def condition(request, tools):
    if request.param == "its own lock":
        return tools.Condition()
    return tools.Condition(getattr(tools, request.param)())


def waiter(condition, entered, timeout=None):
    def wait():
        with condition:
            entered.append(1)
            return condition.wait(timeout)

    return wait


def begun(entered, condition, count):
    """Return when so many wait: whoever gets the lock after them knows that they do."""
    wait_for(lambda: len(entered) == count)
    with condition:
        pass


def test_notify_wakes_as_many_as_it_says_and_notify_all_the_rest(condition, background):
    entered = []
    waiting = [background(waiter(condition, entered)) for _ in range(4)]
    begun(entered, condition, 4)
    with condition:
        condition.notify()
    wait_for(lambda: sum(each.is_waiting() for each in waiting) == 3)
    with condition:
        condition.notify(2)
    wait_for(lambda: sum(each.is_waiting() for each in waiting) == 1)
    with condition:
        condition.notify_all()
    assert [each.result() for each in waiting] == [True] * 4


def test_who_is_notified_has_the_lock_again(condition, background):
    entered = []
    waiting = background(waiter(condition, entered))
    begun(entered, condition, 1)
    with condition:
        condition.notify()
        assert waiting.is_waiting(), "the lock is held here"
    assert waiting.result() is True


def test_a_notification_does_not_wait_for_those_who_come_later(condition):
    with condition:
        condition.notify_all()
        assert condition.wait(0.05) is False


def test_a_wait_that_timed_out_takes_no_notification_from_others(condition, background):
    entered = []
    with condition:
        assert condition.wait(0.01) is False
    waiting = background(waiter(condition, entered))
    begun(entered, condition, 1)
    with condition:
        condition.notify()
    assert waiting.result() is True


def test_wait_for_returns_what_the_predicate_says(condition, background):
    numbers = []
    with condition:
        assert condition.wait_for(lambda: numbers, 0.05) == []

    def wait():
        with condition:
            return condition.wait_for(lambda: len(numbers) > 1 and numbers)

    waiting = background(wait)
    for number in (1, 2):
        assert waiting.is_waiting()
        with condition:
            numbers.append(number)
            condition.notify_all()
    assert waiting.result() == [1, 2]


def test_a_condition_whose_lock_is_not_held_refuses(condition):
    for use in (condition.wait, condition.notify, condition.notify_all):
        with pytest.raises((RuntimeError, AssertionError)):
            use()


def test_a_wait_releases_a_lock_that_was_taken_twice(tools, background):
    condition = tools.Condition()
    entered = []

    def wait():
        with condition, condition:
            entered.append(1)
            condition.wait()
            return background(condition.acquire, False).result()

    waiting = background(wait)
    begun(entered, condition, 1)
    with condition:
        condition.notify()
    assert waiting.result() is False, "both holds are back"
    assert condition.acquire(True, 30)
    condition.release()


def test_a_barrier_lets_all_pass_when_the_last_has_come(tools, background):
    barrier = tools.Barrier(3)
    for _ in range(3):
        waiting = [background(barrier.wait) for _ in range(2)]
        assert all(each.is_waiting() for each in waiting)
        wait_for(lambda: barrier.n_waiting == 2)
        last = barrier.wait()
        assert sorted([last, *(each.result() for each in waiting)]) == [0, 1, 2]
    assert (barrier.parties, barrier.broken) == (3, False)
    wait_for(lambda: barrier.n_waiting == 0)


def test_the_action_of_a_barrier_runs_once_before_anybody_passes(tools, background):
    calls = []
    barrier = tools.Barrier(2, lambda: calls.append(len(calls)))
    for number in range(3):
        waiting = background(lambda: (barrier.wait(), len(calls)))
        barrier.wait()
        assert len(calls) == number + 1
        assert waiting.result()[1] == number + 1


def test_an_action_that_fails_breaks_the_barrier(tools, background):
    barrier = tools.Barrier(2, lambda: 1 / 0)
    waiting = [background(barrier.wait) for _ in range(2)]
    errors = []
    for each in waiting:
        with pytest.raises((ZeroDivisionError, threading.BrokenBarrierError)) as caught:
            each.result()
        errors.append(type(caught.value).__name__)
    assert sorted(errors) == ["BrokenBarrierError", "ZeroDivisionError"]
    assert barrier.broken is True


def test_a_wait_that_times_out_breaks_the_barrier_for_all(tools, background):
    barrier = tools.Barrier(3)
    waiting = background(barrier.wait)
    assert waiting.is_waiting()
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(0.05)
    with pytest.raises(threading.BrokenBarrierError):
        waiting.result()
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait()
    assert barrier.broken is True


def test_the_barriers_own_timeout_holds_for_each_wait(tools):
    with pytest.raises(threading.BrokenBarrierError):
        tools.Barrier(2, timeout=0.05).wait()


def test_an_abort_breaks_and_a_reset_mends(tools, background):
    barrier = tools.Barrier(2)
    waiting = background(barrier.wait)
    assert waiting.is_waiting()
    barrier.abort()
    with pytest.raises(threading.BrokenBarrierError):
        waiting.result()
    barrier.reset()
    assert barrier.broken is False
    waiting = background(barrier.wait)
    assert waiting.is_waiting()
    barrier.reset()
    with pytest.raises(threading.BrokenBarrierError):
        waiting.result()
    wait_for(lambda: barrier.n_waiting == 0 and not barrier.broken)
    waiting = background(barrier.wait)
    assert sorted([barrier.wait(), waiting.result()]) == [0, 1]
