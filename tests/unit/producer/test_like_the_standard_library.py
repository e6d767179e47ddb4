"""The same expectations of the standard library's thread pool and of ours."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator
from typing import Any

import functions as f
import pytest
from fake_broker import DEADLINE, FakeExecutor, FakeServer


@pytest.fixture(params=["stdlib", "farpool"])
def pool(request: pytest.FixtureRequest, fake: FakeServer) -> Iterator[concurrent.futures.Executor]:
    made = concurrent.futures.ThreadPoolExecutor(2) if request.param == "stdlib" else FakeExecutor(fake)
    yield made
    f.open_all_gates()
    made.shutdown()


def test_a_result_is_what_the_function_returned(pool: Any) -> None:
    assert pool.submit(f.square, 7).result(DEADLINE) == 49


def test_every_keyword_belongs_to_the_call(pool: Any) -> None:
    future = pool.submit(f.everything, 1, fn=2, self=3, timeout=4, queue=5, args=(6,))
    assert future.result(DEADLINE) == (1, {"fn": 2, "self": 3, "timeout": 4, "queue": 5, "args": (6,)})


def test_an_exception_is_raised_by_result_and_returned_by_exception(pool: Any) -> None:
    future = pool.submit(f.fail, "broken")
    assert isinstance(future.exception(DEADLINE), ValueError)
    with pytest.raises(ValueError, match=r"^broken"):
        future.result(DEADLINE)
    assert pool.submit(f.nothing).exception(DEADLINE) is None


def test_done_and_cancelled_tell_the_state(pool: Any) -> None:
    future = pool.submit(f.gate, "state")
    assert (future.done(), future.cancelled()) == (False, False)
    f.open_gate("state")
    future.result(DEADLINE)
    assert (future.done(), future.cancelled(), future.running(), future.cancel()) == (True, False, False, False)


def test_result_and_exception_time_out(pool: Any) -> None:
    future = pool.submit(f.gate, "late")
    with pytest.raises(TimeoutError):
        future.result(0.01)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.exception(timeout=0)


def test_callbacks_get_the_future_once_also_when_added_late(pool: Any) -> None:
    seen: list[Any] = []
    future = pool.submit(f.gate, "callback", 5)
    future.add_done_callback(seen.append)
    f.open_gate("callback")
    future.result(DEADLINE)
    concurrent.futures.wait([future])
    future.add_done_callback(seen.append)
    assert seen == [future, future]


def test_wait_returns_done_and_pending(pool: Any) -> None:
    quick, slow = pool.submit(f.square, 2), pool.submit(f.gate, "wait")
    first = concurrent.futures.wait([quick, slow], DEADLINE, concurrent.futures.FIRST_COMPLETED)
    f.open_gate("wait")
    both = concurrent.futures.wait([quick, slow], DEADLINE)
    assert (first.done, first.not_done, both.done) == ({quick}, {slow}, {quick, slow})


def test_wait_for_the_first_exception_does_not_wait_for_the_rest(pool: Any) -> None:
    slow, bad = pool.submit(f.gate, "first exception"), pool.submit(f.fail)
    found = concurrent.futures.wait([slow, bad], DEADLINE, concurrent.futures.FIRST_EXCEPTION)
    assert (found.done, found.not_done) == ({bad}, {slow})


def test_as_completed_yields_each_future_as_it_is_done(pool: Any) -> None:
    slow, quick = pool.submit(f.gate, "as completed", "slow"), pool.submit(f.square, 3)
    order = []
    for future in concurrent.futures.as_completed([slow, quick], DEADLINE):
        order.append(future.result())
        f.open_gate("as completed")
    assert order == [9, "slow"]


def test_as_completed_times_out(pool: Any) -> None:
    with pytest.raises(TimeoutError):
        list(concurrent.futures.as_completed([pool.submit(f.gate, "never")], 0.01))


def test_map_yields_in_the_order_of_the_inputs(pool: Any) -> None:
    assert list(pool.map(f.square, range(20))) == [n * n for n in range(20)]


def test_map_ends_with_the_shortest_input(pool: Any) -> None:
    assert list(pool.map(f.add, range(5), iter([10, 20, 30]))) == [10, 21, 32]


def test_map_of_nothing_is_empty(pool: Any) -> None:
    assert (list(pool.map(f.square, [])), list(pool.map(f.nothing))) == ([], [])


def test_map_starts_before_the_first_next(pool: Any) -> None:
    results = pool.map(f.gate, ["map starts"])
    f.open_gate("map starts")
    assert list(results) == [None]


def test_map_reads_all_inputs_at_once(pool: Any) -> None:
    inputs = iter(range(10))
    results = pool.map(f.square, inputs)
    assert next(inputs, "nothing left") == "nothing left"
    assert len(list(results)) == 10


def test_map_raises_the_first_exception_at_its_place(pool: Any) -> None:
    results = pool.map(f.fail_at, range(6), [3] * 6)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(KeyError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_the_timeout_of_map_counts_from_the_call(pool: Any) -> None:
    results = pool.map(f.gate, ["map timeout"], timeout=0.02)
    with pytest.raises(TimeoutError):
        next(results)


def test_a_callable_that_cannot_be_read_as_inputs_raises_at_once(pool: Any) -> None:
    with pytest.raises(TypeError):
        pool.map(f.square, 5)


def test_shutdown_may_be_called_again_and_ends_submitting(pool: Any) -> None:
    future = pool.submit(f.square, 4)
    pool.shutdown()
    pool.shutdown(wait=False)
    assert future.result(0) == 16
    for submit in (lambda: pool.submit(f.square, 1), lambda: pool.map(f.square, [1])):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            submit()


def test_shutdown_without_wait_lets_what_was_submitted_finish(pool: Any) -> None:
    future = pool.submit(f.gate, "shutdown", "done")
    pool.shutdown(wait=False)
    f.open_gate("shutdown")
    assert future.result(DEADLINE) == "done"


def test_shutdown_cancels_what_has_not_begun_when_asked_to(pool: Any) -> None:
    begun = [pool.submit(f.gate, "cancel futures", n) for n in range(2)]
    for future in begun:
        while not future.running():
            threading.Event().wait(0.005)
    waiting = [pool.submit(f.square, n) for n in range(10)]
    pool.shutdown(wait=False, cancel_futures=True)
    f.open_gate("cancel futures")
    assert [future.result(DEADLINE) for future in begun] == [0, 1]
    assert all(future.cancelled() for future in waiting)


def test_a_with_block_ends_when_all_is_done(pool: Any) -> None:
    with pool:
        futures = [pool.submit(f.square, n) for n in range(10)]
    assert all(future.done() for future in futures)


def test_a_cancelled_future_raises_cancelled_error_and_is_done_for_wait(pool: Any) -> None:
    for name in ("a", "b"):  # every slot is busy
        pool.submit(f.gate, name)
    future = pool.submit(f.gate, "c")
    assert future.cancel()
    assert future.cancel()
    for gate in ("a", "b", "c"):
        f.open_gate(gate)
    assert concurrent.futures.wait([future], DEADLINE).done == {future}
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(DEADLINE)
    assert list(concurrent.futures.as_completed([future], DEADLINE)) == [future]


def test_asyncio_awaits_and_runs_in_it(pool: Any) -> None:
    async def main() -> tuple[Any, Any, Any]:
        wrapped = asyncio.wrap_future(pool.submit(f.square, 5))
        ran = asyncio.get_running_loop().run_in_executor(pool, f.add, 1, 2)
        failed = asyncio.wrap_future(pool.submit(f.fail))
        return await wrapped, await ran, (await asyncio.gather(failed, return_exceptions=True))[0]

    first, second, third = asyncio.run(main())
    assert (first, second, type(third)) == (25, 3, ValueError)


def test_cancelling_an_asyncio_task_cancels_the_future_that_waits(pool: Any) -> None:
    futures = [pool.submit(f.gate, "asyncio cancel") for _ in range(2)]
    waiting = pool.submit(f.gate, "asyncio cancel")

    async def main() -> None:
        task = asyncio.ensure_future(asyncio.wrap_future(waiting))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    f.open_gate("asyncio cancel")
    assert waiting.cancelled()
    assert [future.result(DEADLINE) for future in futures] == [None, None]
