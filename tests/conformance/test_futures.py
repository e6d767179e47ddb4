"""Executors and futures, as concurrent.futures' and as ours."""

import concurrent.futures
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION

import conformance_tasks as tasks
import pytest
from daemons import wait_for


@pytest.fixture
def executor(tools):
    with tools.Executor() as found:
        yield found


def test_a_future_gives_its_result(executor):
    future = executor.submit(tasks.add, 1, second=2, times=3)
    assert (future.result(30), future.exception(), future.done(), future.running()) == (9, None, True, False)
    assert future.cancel() is False


def test_a_future_raises_what_the_call_raised(executor):
    future = executor.submit(tasks.fail, "no")
    with pytest.raises(ValueError, match="no"):
        future.result(30)
    assert type(future.exception()) is ValueError


def test_a_future_is_waited_for_up_to_a_timeout(executor, tmp_path):
    future = executor.submit(tasks.wait_for, str(tmp_path / "go"))
    with pytest.raises(TimeoutError):
        future.result(0.05)
    (tmp_path / "go").touch()
    assert future.result(30) == str(tmp_path / "go")


def test_callbacks_are_called_once_each(executor):
    seen = []
    future = executor.submit(tasks.square, 3)
    future.add_done_callback(seen.append)
    executor.shutdown()
    future.add_done_callback(seen.append)
    assert seen == [future, future]


@pytest.mark.parametrize("chunksize", [1, 4])
def test_a_map_gives_results_in_order(executor, chunksize):
    found = executor.map(tasks.add, range(20), range(25), chunksize=chunksize)
    assert list(found) == [2 * number for number in range(20)]


@pytest.mark.parametrize("chunksize", [1, 2])
def test_a_map_raises_at_the_place_of_the_exception(executor, chunksize):
    results = executor.map(tasks.fail_at_three, [0, 1, 2, 4, 3, 5], chunksize=chunksize)
    assert [next(results) for _ in range(4)] == [0, 1, 4, 16]
    with pytest.raises(KeyError):
        next(results)
    assert list(results) == []


def test_a_map_ends_at_its_timeout(executor, tmp_path):
    results = executor.map(tasks.wait_for, [str(tmp_path / "go")], timeout=0.1)
    with pytest.raises(TimeoutError):
        next(results)
    (tmp_path / "go").touch()


@pytest.mark.parametrize("chunksize", [0, -1])
def test_a_chunksize_that_cannot_be_meant_is_refused(executor, chunksize):
    with pytest.raises(ValueError, match=r"chunksize must be >= 1"):
        executor.map(tasks.square, [1], chunksize=chunksize)


def test_as_completed_gives_futures_as_they_come(tools, executor, tmp_path):
    waits = executor.submit(tasks.wait_for, str(tmp_path / "go"))
    quick = executor.submit(tasks.square, 2)
    found = tools.as_completed([waits, quick], 30)
    assert next(found) is quick
    (tmp_path / "go").touch()
    assert next(found) is waits
    assert list(found) == []


def test_as_completed_ends_at_its_timeout(tools, executor, tmp_path):
    waits = executor.submit(tasks.wait_for, str(tmp_path / "go"))
    with pytest.raises(TimeoutError, match=r"1 \(of 1\) futures unfinished"):
        list(tools.as_completed([waits], 0.05))
    (tmp_path / "go").touch()


WAITS = {FIRST_COMPLETED: tasks.square, FIRST_EXCEPTION: tasks.fail}


@pytest.mark.parametrize("when", WAITS)
def test_wait_returns_at_the_first(tools, executor, tmp_path, when):
    waits, first = executor.submit(tasks.wait_for, str(tmp_path / "go")), executor.submit(WAITS[when], 2)
    found = tools.wait([waits, first], 30, return_when=when)
    assert (found.done, found.not_done) == ({first}, {waits})
    (tmp_path / "go").touch()
    assert tools.wait([waits, first], 30, return_when=ALL_COMPLETED).not_done == set()


def test_shutdown_waits_for_what_was_taken(tools):
    executor = tools.Executor()
    future = executor.submit(tasks.later, 0.1, "done")
    executor.shutdown()
    executor.shutdown()
    assert (future.done(), future.result()) == (True, "done")
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        executor.submit(tasks.square, 1)


def test_shutdown_cancels_what_waits(tools, tmp_path):
    executor = tools.Executor()
    paths = [str(tmp_path / "go")] * 40
    futures = [executor.submit(tasks.wait_for, path) for path in paths]
    tools.wait([executor.submit(tasks.square, 1)], 0.2)
    executor.shutdown(wait=False, cancel_futures=True)
    (tmp_path / "go").touch()
    wait_for(lambda: all(future.done() for future in futures))
    cancelled = [future for future in futures if future.cancelled()]
    assert cancelled
    with pytest.raises(concurrent.futures.CancelledError):
        cancelled[0].result()
