"""Where shared objects differ from multiprocessing's: each line of the table in docs/shared-state.md."""

import ctypes
import multiprocessing
import threading

import pytest

import farpool


def release(lock, outcome):
    """In another process."""
    try:
        lock.release()
    except ValueError as error:
        outcome.put(str(error))
    else:
        outcome.put("released")


def released_elsewhere(lock, outcome):
    process = multiprocessing.get_context("fork").Process(target=release, args=(lock, outcome))
    process.start()
    process.join(30)
    return outcome.get(timeout=30)


def test_a_lock_is_released_by_the_process_that_holds_it_only(tools):
    lock, outcome = tools.Lock(), tools.Queue()
    lock.acquire()
    told = released_elsewhere(lock, outcome)
    assert ("this process does not hold it" in told) if tools.is_farpool else (told == "released")


def test_who_waits_for_an_event_that_is_set_and_cleared_at_once_is_through(on_server, background):
    event = farpool.Event()
    for _ in range(5):
        waiting = background(event.wait)
        assert waiting.is_waiting()
        event.set()
        event.clear()
        assert waiting.result() is True


def test_a_condition_without_its_lock_raises_runtime_error(tools):
    with pytest.raises(RuntimeError if tools.is_farpool else AssertionError):
        tools.Condition().notify()


def test_what_cannot_travel_is_told_by_put(tools, capfd):
    queue = tools.Queue()
    if tools.is_farpool:
        with pytest.raises(TypeError, match="cannot travel"):
            queue.put(threading.Lock())
    else:
        queue.put(threading.Lock())  # a thread prints the error later
        queue.close()
        queue.join_thread()
        assert "cannot pickle" in capfd.readouterr().err


def test_equal_keys_of_a_dict_are_kept_as_integers(tools):
    found = tools.dict({True: "x", 2.0: "y"})
    assert [type(key) for key in found.keys()] == ([int, int] if tools.is_farpool else [bool, float])  # noqa: SIM118


def test_a_key_for_sorting_may_be_a_lambda(on_server):
    numbers = farpool.Manager().list([1, 3, 2])
    numbers.sort(key=lambda n: -n)
    assert list(numbers) == [3, 2, 1]


def test_only_plain_c_types_are_taken(tools):
    class Pair(ctypes.Structure):
        _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_int))

    if tools.is_farpool:
        with pytest.raises(TypeError, match="plain ctypes type"):
            tools.Value(Pair, 1, 2)
    else:
        assert tools.Value(Pair, 1, 2).y == 2


def test_a_pipe_has_no_descriptor(tools):
    left, _ = tools.Pipe()
    assert hasattr(left, "fileno") is not tools.is_farpool
