"""Queues behave as multiprocessing's do."""

import queue

import pytest
from daemons import wait_for


@pytest.fixture(params=["Queue", "JoinableQueue", "SimpleQueue"])
def any_queue(request, tools):
    found = getattr(tools, request.param)()
    yield found
    found.close()


def filled(found, *items):
    """The standard library's queue is filled by a thread that may take a while."""
    for item in items:
        found.put(item)
    if items:
        wait_for(lambda: not found.empty())
    return found


def test_items_come_in_the_order_in_which_they_were_put(any_queue):
    filled(any_queue, *range(100))
    assert [any_queue.get() for _ in range(100)] == list(range(100))
    assert any_queue.empty()


def test_any_value_that_travels_comes_out_equal(any_queue):
    value = {"rows": [(1, 2.5), None], "name": "ä", 3: b"\0x", "set": {1, 2}}
    assert filled(any_queue, value).get() == value


def test_a_get_waits_for_a_put(any_queue, background):
    waiting = background(any_queue.get)
    assert waiting.is_waiting()
    any_queue.put("late")
    assert waiting.result() == "late"


def test_an_empty_queue_raises_empty_at_once_or_after_the_timeout(tools):
    found = tools.Queue()
    for get in (
        found.get_nowait,
        lambda: found.get(False),
        lambda: found.get(True, 0.05),
        lambda: found.get(timeout=0),
    ):
        with pytest.raises(queue.Empty):
            get()


def test_a_full_queue_raises_full_at_once_or_after_the_timeout(tools):
    found = tools.Queue(2)
    found.put(1)
    found.put(2, timeout=5)
    assert found.full()
    for put in (lambda: found.put_nowait(3), lambda: found.put(3, False), lambda: found.put(3, timeout=0.05)):
        with pytest.raises(queue.Full):
            put()
    wait_for(lambda: not found.empty())
    assert [found.get(), found.get()] == [1, 2]
    wait_for(lambda: not found.full())


def test_a_put_waits_for_room(tools, background):
    found = tools.Queue(1)
    found.put("first")
    waiting = background(found.put, "second")
    assert waiting.is_waiting()
    assert found.get() == "first"
    waiting.result()
    assert found.get() == "second"


def test_every_putter_that_waits_gets_its_turn(tools, background):
    found = tools.Queue(2)
    putters = [background(found.put, number) for number in range(10)]
    got = [found.get(timeout=30) for _ in range(10)]
    assert sorted(got) == list(range(10))
    assert [putter.result() for putter in putters] == [None] * 10


def test_every_getter_that_waits_gets_one_item(tools, background):
    found = tools.Queue()
    getters = [background(found.get) for _ in range(10)]
    for number in range(10):
        found.put(number)
    assert sorted(getter.result() for getter in getters) == list(range(10))


def test_qsize_counts_what_waits(tools):
    found = tools.Queue()
    assert (found.qsize(), found.empty(), found.full()) == (0, True, False)
    filled(found, 1, 2)
    assert (found.qsize(), found.full()) == (2, False)
    found.get()
    assert found.qsize() == 1
    found.get()


def test_join_returns_when_every_item_is_done(tools, background):
    found = tools.JoinableQueue()
    filled(found, 1, 2)
    waiting = background(found.join)
    for _ in range(2):
        assert waiting.is_waiting()
        found.get()
        assert waiting.is_waiting()
        found.task_done()
    waiting.result()
    found.join()


def test_task_done_more_often_than_put_raises_value_error(tools):
    found = tools.JoinableQueue()
    found.join()
    with pytest.raises(ValueError, match="too many times"):
        found.task_done()
    filled(found, 1).get()
    found.task_done()
    with pytest.raises(ValueError, match="too many times"):
        found.task_done()


def test_a_closed_queue_takes_and_gives_nothing(tools):
    found = tools.Queue()
    found.close()
    found.join_thread()
    for use in (lambda: found.put(1), found.get):
        with pytest.raises(ValueError, match="closed"):
            use()
