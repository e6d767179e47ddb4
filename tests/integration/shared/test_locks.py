"""Locks and semaphores behave as multiprocessing's do."""

import pytest


@pytest.fixture(params=["Lock", "RLock"])
def any_lock(request, tools):
    return getattr(tools, request.param)()


def test_one_holds_a_lock_and_others_wait(any_lock, background):
    assert any_lock.acquire() is True
    waiting = background(any_lock.acquire)
    assert waiting.is_waiting()
    assert background(any_lock.acquire, False).result() is False
    assert background(any_lock.acquire, True, 0.05).result() is False
    any_lock.release()
    assert waiting.result() is True


def test_a_lock_is_held_within_a_with_block(any_lock, background):
    with any_lock as found:
        assert found is True
        assert background(any_lock.acquire, False).result() is False
    assert background(any_lock.acquire, False).result() is True


def test_a_lock_that_waits_is_released_by_an_exception(any_lock, background):
    with pytest.raises(KeyError), any_lock:
        raise KeyError
    assert background(any_lock.acquire, False).result() is True


def test_a_lock_excludes(any_lock, background):
    seen, inside = [], []

    def work():
        for _ in range(20):
            with any_lock:
                inside.append(1)
                seen.append(len(inside))
                inside.pop()

    for each in [background(work) for _ in range(4)]:
        each.result()
    assert seen == [1] * 80


def test_a_lock_may_be_released_by_another_thread(tools, background):
    lock = tools.Lock()
    lock.acquire()
    background(lock.release).result()
    assert lock.acquire(False) is True
    lock.release()


def test_a_lock_that_nobody_holds_cannot_be_released(tools):
    lock = tools.Lock()
    with pytest.raises(ValueError, match="released too many times"):
        lock.release()
    with lock:
        pass
    with pytest.raises(ValueError, match="released too many times"):
        lock.release()


def test_a_lock_cannot_be_taken_twice_by_its_holder(tools):
    lock = tools.Lock()
    with lock:
        assert lock.acquire(False) is False
        assert lock.acquire(timeout=0.05) is False


def test_the_holder_of_a_recursive_lock_may_take_it_again_and_must_release_it_as_often(tools, background):
    lock = tools.RLock()
    with lock:
        assert lock.acquire(False) is True
        with lock:
            pass
        lock.release()
        assert background(lock.acquire, False).result() is False
    assert background(lock.acquire, False).result() is True


def test_a_recursive_lock_can_be_released_by_its_holder_only(tools, background):
    lock = tools.RLock()
    with pytest.raises(AssertionError, match="not owned"):
        lock.release()
    lock.acquire()
    with pytest.raises(AssertionError, match="not owned"):
        background(lock.release).result()
    lock.release()


@pytest.mark.parametrize("name", ["Semaphore", "BoundedSemaphore"])
def test_a_semaphore_lets_as_many_in_as_it_has_permits(tools, name, background):
    found = getattr(tools, name)(2)
    assert [found.acquire(), found.acquire(False), found.acquire(False), found.acquire(True, 0.05)] == [
        True,
        True,
        False,
        False,
    ]
    waiting = [background(found.acquire) for _ in range(2)]
    assert all(each.is_waiting() for each in waiting)
    found.release()
    found.release()
    assert [each.result() for each in waiting] == [True, True]


def test_a_semaphore_counts_and_any_thread_may_release_it(tools, background):
    found = tools.Semaphore(1)
    assert found.get_value() == 1
    with found:
        assert found.get_value() == 0
    background(found.release).result()
    assert found.get_value() == 2


def test_a_bounded_semaphore_refuses_one_release_too_many(tools):
    found = tools.BoundedSemaphore(1)
    with pytest.raises(ValueError, match="too many times"):
        found.release()
    with found:
        pass
    with pytest.raises(ValueError, match="too many times"):
        found.release()


def test_a_semaphore_of_nought_lets_the_first_one_in_after_a_release(tools, background):
    found = tools.Semaphore(0)
    waiting = background(found.acquire)
    assert waiting.is_waiting()
    found.release()
    assert waiting.result() is True
    assert found.get_value() == 0


def test_a_negative_semaphore_is_refused(tools):
    with pytest.raises((ValueError, OSError)):
        tools.Semaphore(-1)
