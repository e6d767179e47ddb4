"""Maps beyond what the standard library's can do."""

import gc
import threading
import time
import weakref
from itertools import count, islice
from typing import Any

import functions as f
import numpy as np
import pytest
from fake_broker import DEADLINE, FakeExecutor, FakeServer

ALL_SIZES = pytest.mark.parametrize("chunksize", [1, 2, 7, "auto"])


def wait_for_a_call_at(gate: str) -> None:
    pause = threading.Event()
    assert any(gate in f.GATES or pause.wait(0.002) for _ in range(5000))


@ALL_SIZES
def test_results_come_in_order(executor: FakeExecutor, chunksize: Any) -> None:
    assert list(executor.map(f.square, range(500), chunksize=chunksize)) == [n * n for n in range(500)]


@ALL_SIZES
def test_map_unordered_yields_all_results(executor: FakeExecutor, chunksize: Any) -> None:
    found = list(executor.map_unordered(f.square, range(500), chunksize=chunksize))
    assert sorted(found) == [n * n for n in range(500)]


def test_map_unordered_does_not_wait_for_a_slow_call(executor: FakeExecutor) -> None:
    results = executor.map_unordered(f.gate, ["unordered", "open"], ["late", "early"])
    f.open_gate("open")
    assert next(results) == "early"
    f.open_gate("unordered")
    assert list(results) == ["late"]


@ALL_SIZES
def test_several_inputs_end_with_the_shortest(executor: FakeExecutor, chunksize: Any) -> None:
    assert list(executor.map(f.add, range(5), [10, 20, 30], chunksize=chunksize)) == [10, 21, 32]
    assert list(executor.map(f.add, count(), iter([10, 20]), chunksize=chunksize)) == [10, 21]


@ALL_SIZES
def test_nothing_to_do_gives_nothing(executor: FakeExecutor, chunksize: Any) -> None:
    assert list(executor.map(f.square, [], chunksize=chunksize)) == []
    assert list(executor.map(f.nothing, chunksize=chunksize)) == []
    assert list(executor.map(f.square, [], chunksize=chunksize, buffersize=3)) == []


@ALL_SIZES
def test_the_first_error_is_raised_at_its_place(executor: FakeExecutor, chunksize: Any) -> None:
    results = executor.map(f.fail_at, range(40), [13] * 40, chunksize=chunksize)
    assert list(islice(results, 13)) == list(range(13))
    with pytest.raises(KeyError) as caught:
        next(results)
    assert "fake-host" in caught.value.__notes__[0]


@ALL_SIZES
def test_an_argument_that_cannot_travel_fails_at_its_place(executor: FakeExecutor, chunksize: Any) -> None:
    results = executor.map(f.square, [1, 2, 3, threading.Lock(), 5], chunksize=chunksize)
    assert list(islice(results, 3)) == [1, 4, 9]
    with pytest.raises(TypeError, match=r"argument 1 \(x: _thread.lock\) cannot travel"):
        next(results)


@ALL_SIZES
@pytest.mark.parametrize("buffersize", [1, 3, 50])
def test_an_endless_input_is_read_only_so_far_ahead(executor: FakeExecutor, chunksize: Any, buffersize: int) -> None:
    numbers = count()
    results = executor.map(f.square, numbers, chunksize=chunksize, buffersize=buffersize)
    assert next(numbers) == buffersize
    assert list(islice(results, 4)) == [(n if n < buffersize else n + 1) ** 2 for n in range(4)]
    assert next(numbers) <= buffersize + 5
    results.close()  # type: ignore[attr-defined]


@ALL_SIZES
@pytest.mark.parametrize("buffersize", [1, 4, 1000])
def test_a_buffered_map_yields_everything(executor: FakeExecutor, chunksize: Any, buffersize: int) -> None:
    results = executor.map(f.square, iter(range(100)), chunksize=chunksize, buffersize=buffersize)
    assert list(results) == [n * n for n in range(100)]
    unordered = executor.map_unordered(f.square, iter(range(100)), chunksize=chunksize, buffersize=buffersize)
    assert sorted(unordered) == [n * n for n in range(100)]


@ALL_SIZES
def test_a_buffered_map_reads_nothing_after_shutdown(fake: FakeServer, chunksize: Any) -> None:
    executor = FakeExecutor(fake)
    results = executor.map(f.square, count(), chunksize=chunksize, buffersize=2)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(results)


@ALL_SIZES
def test_closing_the_iterator_cancels_the_rest(executor: FakeExecutor, fake: FakeServer, chunksize: Any) -> None:
    inputs = ["open"] * 7 + ["closed"] * 200
    f.open_gate("open")
    results = executor.map(f.gate, inputs, range(207), chunksize=chunksize)
    assert next(results) == 0
    wait_for_a_call_at("closed")
    results.close()  # type: ignore[attr-defined]
    fake.wait_until(lambda: fake.canceled)
    f.open_gate("closed")
    executor.shutdown()
    assert "queued" not in fake.status.values()


@ALL_SIZES
def test_the_timeout_counts_from_the_call(executor: FakeExecutor, chunksize: Any) -> None:
    results = executor.map(f.gate, ["timeout"], chunksize=chunksize, timeout=0.01)
    with pytest.raises(TimeoutError):
        next(results)
    unordered = executor.map_unordered(f.gate, ["timeout"], chunksize=chunksize, timeout=0.01)
    with pytest.raises(TimeoutError):
        next(unordered)


def test_a_number_of_calls_per_task_is_kept(executor: FakeExecutor, fake: FakeServer) -> None:
    assert len(list(executor.map(f.square, range(100), chunksize=30))) == 100
    assert [task.calls for task in fake.enqueued] == [30, 30, 30, 10]


def test_a_large_map_travels_in_few_tasks(executor: FakeExecutor, fake: FakeServer) -> None:
    assert sum(executor.map(f.square, range(100_000), chunksize="auto")) == sum(n * n for n in range(100_000))
    assert len(fake.enqueued) < 400


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ({"chunksize": 0}, ValueError),
        ({"chunksize": -1}, ValueError),
        ({"chunksize": 1.5}, TypeError),
        ({"chunksize": "big"}, TypeError),
        ({"buffersize": 0}, ValueError),
        ({"buffersize": "all"}, TypeError),
    ],
)
def test_sizes_that_cannot_be_meant_are_refused_at_once(
    executor: FakeExecutor, sizes: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        executor.map(f.square, [1], **sizes)


def test_an_input_that_raises_raises_where_it_is_read(executor: FakeExecutor) -> None:
    def inputs() -> Any:
        yield 1
        raise OSError("the file ends here")

    for chunksize in (1, 2, "auto"):
        with pytest.raises(OSError, match="ends here"):
            executor.map(f.square, inputs(), chunksize=chunksize)  # type: ignore[arg-type]


def test_a_list_that_changes_after_the_call_changes_nothing(fake: FakeServer, executor: FakeExecutor) -> None:
    inputs = list(range(50))
    results = executor.map(f.square, inputs, chunksize="auto")
    inputs.clear()
    assert len(list(results)) == 50


def test_two_maps_and_submits_share_an_executor(executor: FakeExecutor) -> None:
    first = executor.map(f.square, range(1000), chunksize="auto")
    second = executor.map(f.add, range(1000), chunksize=10)
    futures = [executor.submit(f.square, n) for n in range(100)]
    assert list(second) == list(range(1000))
    assert sum(first) == sum(n * n for n in range(1000))
    assert [future.result(DEADLINE) for future in futures] == [n * n for n in range(100)]


# --- buffersize="auto" ----------------------------------------------------------------------------


@ALL_SIZES
def test_an_endless_input_is_read_as_far_ahead_as_slots_need(executor: FakeExecutor, chunksize: Any) -> None:
    numbers = count()
    results = executor.map(f.square, numbers, chunksize=chunksize, buffersize="auto")
    assert list(islice(results, 5_000)) == [n * n for n in range(5_000)]
    assert 5_000 <= next(numbers) < 1_200_000
    results.close()  # type: ignore[attr-defined]


@ALL_SIZES
def test_all_results_come_of_a_generator(executor: FakeExecutor, chunksize: Any) -> None:
    results = executor.map(f.add, iter(range(3000)), count(), chunksize=chunksize, buffersize="auto")
    assert list(results) == [2 * n for n in range(3000)]


@pytest.mark.parametrize("chunksize", [7, "auto"])
def test_inputs_that_come_slowly_do_not_hold_results_back(executor: FakeExecutor, chunksize: Any) -> None:
    read: list[int] = []

    def slow() -> Any:
        for number in range(10_000):
            time.sleep(0.002)
            read.append(number)
            yield number

    results = executor.map(f.square, slow(), chunksize=chunksize, buffersize="auto")
    assert list(islice(results, 20)) == [n * n for n in range(20)]
    assert len(read) < 1000
    results.close()  # type: ignore[attr-defined]


# --- loops over results ---------------------------------------------------------------------------


@pytest.mark.parametrize("chunksize", [1, 50])
def test_a_loop_ends_when_its_iterator_is_closed(executor: FakeExecutor, chunksize: int) -> None:
    results = executor.map(f.square, range(100), chunksize=chunksize)
    found = []
    for value in results:
        found.append(value)
        if value == 9:
            results.close()  # type: ignore[attr-defined]
    assert found == [0, 1, 4, 9]
    assert list(results) == []


def test_results_that_nobody_wants_any_more_are_cancelled(executor: FakeExecutor, fake: FakeServer) -> None:
    f.open_gate("open")
    results = executor.map(f.gate, ["open"] * 2 + ["dropped"] * 40, chunksize=2)
    next(results)
    wait_for_a_call_at("dropped")
    del results
    fake.wait_until(lambda: fake.canceled)


def test_a_map_is_cancelled_before_its_first_result_is_taken(executor: FakeExecutor, fake: FakeServer) -> None:
    results = executor.map(f.gate, ["closed"] * 40, chunksize=2)
    wait_for_a_call_at("closed")
    results.close()  # type: ignore[attr-defined]
    fake.wait_until(lambda: fake.canceled)
    assert list(results) == []


def test_calls_run_though_nobody_takes_their_results(fake: FakeServer) -> None:
    with FakeExecutor(fake) as executor:
        executor.map(f.note, range(1000), chunksize="auto")
    assert sorted(f.SEEN) == list(range(1000))


@pytest.mark.parametrize("buffersize", [None, "auto", 100])
def test_results_that_were_taken_are_kept_by_nobody(executor: FakeExecutor, buffersize: Any) -> None:
    gc.disable()  # objects in circles would stay for long: few are made here, and results are large
    try:
        rows = iter(np.arange(4000).reshape(2000, 2))
        results = executor.map(f.square, rows, chunksize=10, buffersize=buffersize)
        seen = [weakref.ref(value) for value in results]
        assert [ref() for ref in seen if ref() is not None] == []
        assert len(seen) == 2000
    finally:
        gc.enable()


# --- arrays ---------------------------------------------------------------------------------------


@ALL_SIZES
def test_arrays_give_calls_what_iterating_gives(executor: FakeExecutor, chunksize: Any) -> None:
    for array in (np.arange(40.0), np.arange(40, dtype="i2"), np.arange(40).reshape(20, 2), np.arange(9) > 3):
        found = list(executor.map(f.shown, array, chunksize=chunksize))
        assert found == [f.shown(value) for value in array]


@ALL_SIZES
def test_numbers_of_numpy_come_back_as_they_are(executor: FakeExecutor, chunksize: Any) -> None:
    found = list(executor.map(f.square, np.linspace(0, 1, 50, dtype="f4"), chunksize=chunksize))
    assert [type(value) for value in found] == [np.float32] * 50
    assert found == [value * value for value in np.linspace(0, 1, 50, dtype="f4")]
