"""What submit accepts, what it refuses, and what a failed call says."""

import functools
import threading
from typing import Any

import functions as f
import numpy as np
import pytest
from fake_broker import DEADLINE, FakeExecutor, FakeServer

from farpool import (
    ArgumentError,
    FunctionNotImportableError,
    RemoteTraceback,
    ServerRefusedError,
    SettingsError,
    TaskLostError,
)
from farpool_common.chunk import Chunk, decode_chunk
from farpool_common.codec import Serializer


def chunks(fake: FakeServer) -> list[Chunk]:
    return [decode_chunk(Serializer.loads(task.data)[2][0]) for task in fake.enqueued]


def test_a_function_that_workers_cannot_import_is_refused_at_once(executor: FakeExecutor) -> None:
    for submit in (lambda fn: executor.submit(fn), lambda fn: executor.map(fn, [1], chunksize="auto")):
        with pytest.raises(FunctionNotImportableError, match="Nothing was sent"):
            submit(lambda: 1)


def test_a_method_of_an_object_is_refused_and_does_not_lose_its_object(executor: FakeExecutor) -> None:
    with pytest.raises(FunctionNotImportableError, match="a method of an object"):
        executor.submit(executor.shutdown)


def test_partials_are_taken_apart(executor: FakeExecutor) -> None:
    double = functools.partial(f.everything, 1, a=2)
    assert executor.submit(double, 3, b=4).result(DEADLINE) == (1, 3, {"a": 2, "b": 4})
    assert list(executor.map(double, [5, 6], chunksize="auto")) == [(1, 5, {"a": 2}), (1, 6, {"a": 2})]


def test_methods_of_builtins_and_ufuncs_run(executor: FakeExecutor) -> None:
    assert executor.submit(len, "four").result(DEADLINE) == 4
    assert executor.submit(np.add, 1, 2).result(DEADLINE) == 3


def test_arrays_travel_beside_the_task_and_leave_no_buffer(executor: FakeExecutor, fake: FakeServer) -> None:
    array = np.arange(100_000, dtype=np.float64)
    found = executor.submit(f.add, array, array.copy()).result(DEADLINE)
    assert np.array_equal(found, array * 2)
    assert found.flags.writeable
    assert len(fake.enqueued[0].parts) == 2
    executor.shutdown()
    assert fake.buffers == {}


def test_a_failed_call_raises_as_it_did_there_and_says_where(executor: FakeExecutor, fake: FakeServer) -> None:
    with pytest.raises(ValueError, match=r"^broken") as caught:
        executor.submit(f.fail, "broken").result(DEADLINE)
    error = caught.value
    assert isinstance(error.__cause__, RemoteTraceback)
    assert "raise ValueError(text)" in str(error.__cause__)
    note = error.__notes__[0]
    assert fake.enqueued[0].id in note
    assert "attempt 1" in note
    assert "on fake-host" in note


def test_an_exception_whose_parameters_nobody_knows_comes_back_whole(executor: FakeExecutor) -> None:
    with pytest.raises(f.Unimportable, match="7: two arguments") as caught:
        executor.submit(f.fail_with_two, 7).result(DEADLINE)
    assert caught.value.code == 7


@pytest.mark.parametrize(
    ("call", "label"),
    [
        ((1, threading.Lock()), r"argument 2 \(b: _thread.lock\)"),
        ((object(),), r"argument 1 \(a: object\)"),
        (([{"deep": [threading.Lock()]}],), r"argument 1 \(a: list\) cannot travel: \[0\]\['deep'\]\[0\]"),
    ],
)
def test_an_argument_that_cannot_travel_is_named(executor: FakeExecutor, call: Any, label: str) -> None:
    error = executor.submit(f.add, *call).exception(DEADLINE)
    assert isinstance(error, (ArgumentError, TypeError))
    with pytest.raises(ArgumentError, match=label):
        raise error


def test_a_keyword_that_cannot_travel_is_named(executor: FakeExecutor) -> None:
    error = executor.submit(f.everything, x=1, lock=threading.Lock()).exception(DEADLINE)
    assert "keyword argument (lock: _thread.lock) cannot travel" in str(error)
    assert "was not sent" in str(error)


def test_an_argument_whose_own_code_raises_fails_its_call_only(executor: FakeExecutor) -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("hands off")

    bad, good = executor.submit(f.add, Hostile()), executor.submit(f.add, 1)
    assert isinstance(bad.exception(DEADLINE), ArgumentError)
    assert good.result(DEADLINE) == 1


def test_calls_gathered_with_one_that_cannot_travel_run(executor: FakeExecutor, fake: FakeServer) -> None:
    executor.submit(f.square, 1).result(DEADLINE)  # now it is known to be quick, so that calls gather
    fake.set(is_paused=True)
    futures = [executor.submit(f.square, threading.Lock() if n % 10 == 3 else n) for n in range(100)]
    fake.set(is_paused=False)
    for n, future in enumerate(futures):
        if n % 10 == 3:
            assert isinstance(future.exception(DEADLINE), ArgumentError)
        else:
            assert future.result(DEADLINE) == n * n


def test_submits_of_a_quick_function_travel_together(executor: FakeExecutor, fake: FakeServer) -> None:
    futures = [executor.submit(f.square, n) for n in range(20_000)]
    assert [future.result(DEADLINE) for future in futures] == [n * n for n in range(20_000)]
    assert len(fake.enqueued) < 2_000


def test_a_slow_call_shares_its_task_with_nobody(executor: FakeExecutor, fake: FakeServer) -> None:
    futures = [executor.submit(f.slowly, 0.01, n) for n in range(20)]
    assert [future.result(DEADLINE) for future in futures] == list(range(20))
    assert {task.calls for task in fake.enqueued} == {1}


def test_calls_of_an_unknown_slow_function_all_reach_the_server(executor: FakeExecutor, fake: FakeServer) -> None:
    for n in range(50):
        executor.submit(f.gate, "slow", n)
    fake.wait_until(lambda: sum(task.calls for task in fake.enqueued) == 50)


def test_options_travel_with_the_task(executor: FakeExecutor, fake: FakeServer) -> None:
    view = executor.options(queue="high", timeout=2.5, retries=0)
    assert view.submit(f.square, 3).result(DEADLINE) == 9
    assert view.options(retries=7).submit(f.square, 4).result(DEADLINE) == 16
    assert executor.submit(f.square, 5).result(DEADLINE) == 25
    sent = zip(fake.enqueued, chunks(fake), strict=True)
    assert [(task.limit, task.retries, chunk.limit) for task, chunk in sent] == [
        (2.5, 0, 2.5),
        (2.5, 7, 2.5),
        (None, 2, None),
    ]
    assert list(fake.queues) == ["high", "default"]
    assert list(view.map(f.square, [1, 2], chunksize="auto")) == [1, 4]


@pytest.mark.parametrize(
    "options", [{"queue": ""}, {"timeout": 0}, {"timeout": "1"}, {"retries": -1}, {"retries": True}, {"keep": 0}]
)
def test_options_that_cannot_be_used_are_refused(executor: FakeExecutor, options: Any) -> None:
    with pytest.raises(SettingsError):
        executor.options(**options)


def test_a_task_is_readable_for_those_who_look_at_the_queue(executor: FakeExecutor, fake: FakeServer) -> None:
    executor.submit(f.square, 3).result(DEADLINE)
    task = fake.enqueued[0]
    assert (task.label, task.description) == ("functions:square", "functions:square (1 call)")
    assert task.data[0] == 0x94
    assert Serializer.loads(task.data)[0] == "farpool_common.runner.run_chunk"


def test_an_initializer_runs_before_the_first_call(fake: FakeServer) -> None:
    with FakeExecutor(fake, initializer=f.note, initargs=("ready",)) as executor:
        assert executor.submit(f.square, 2).result(DEADLINE) == 4
        assert list(executor.map(f.square, range(10), chunksize="auto")) == [n * n for n in range(10)]
    assert set(f.SEEN) == {"ready"}
    assert 1 <= len(f.SEEN) <= fake.slots  # once per process; here a thread stands for one


def test_an_initializer_that_cannot_travel_is_refused_at_once(fake: FakeServer) -> None:
    with pytest.raises(ArgumentError, match="initargs cannot travel"):
        FakeExecutor(fake, initializer=f.note, initargs=(threading.Lock(),))
    with pytest.raises(FunctionNotImportableError):
        FakeExecutor(fake, initializer=lambda: None)
    with pytest.raises(TypeError):
        FakeExecutor(fake, initializer=5)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"max_workers": 0}, ValueError),
        ({"max_workers": "2"}, TypeError),
        ({"durability": "disk"}, SettingsError),
        ({"queue": ""}, SettingsError),
    ],
)
def test_an_executor_that_cannot_be_meant_is_refused(fake: FakeServer, arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        FakeExecutor(fake, **arguments)


def test_max_workers_caps_the_tasks_on_their_way(fake: FakeServer) -> None:
    with FakeExecutor(fake, max_workers=1) as executor:
        first = [executor.submit(f.gate, f"cap {n}", n) for n in range(3)]
        for n, future in enumerate(first):
            fake.wait_until(lambda n=n: len(fake.enqueued) == n + 1)
            assert sum(status == "started" or status == "queued" for status in fake.status.values()) == 1
            f.open_gate(f"cap {n}")
            assert future.result(DEADLINE) == n
        assert list(executor.map(f.square, range(100), chunksize=9)) == [n * n for n in range(100)]
        assert executor._max_workers == 1


def test_with_one_worker_slow_calls_run_in_the_order_of_their_submission(fake: FakeServer) -> None:
    with FakeExecutor(fake, max_workers=1) as executor:
        for n in range(6):
            executor.submit(f.slowly, 0.004)
            executor.submit(f.note_slowly, n)
            executor.map(f.note, [str(n)], chunksize="auto")
    assert f.SEEN == [0, "0", 1, "1", 2, "2", 3, "3", 4, "4", 5, "5"]


def test_max_workers_of_an_executor_is_the_number_of_live_slots(fake: FakeServer) -> None:
    with FakeExecutor(fake) as executor:
        assert executor._max_workers == 2


def test_a_refusal_of_the_server_fails_the_calls_concerned(executor: FakeExecutor, fake: FakeServer) -> None:
    fake.set(refusal=ServerRefusedError("fake:// refuses us"))
    bad = executor.submit(f.square, 1)
    with pytest.raises(ServerRefusedError):
        bad.result(DEADLINE)
    with pytest.raises(ServerRefusedError):
        list(executor.map(f.square, range(10), chunksize="auto"))
    fake.set(refusal=None)
    assert executor.submit(f.square, 2).result(DEADLINE) == 4


def test_an_outcome_that_cannot_be_read_fails_its_call_only(executor: FakeExecutor, fake: FakeServer) -> None:
    fake.set(is_paused=True)
    bad, good = executor.submit(f.square, 1), executor.submit(f.add, 1)
    fake.wait_until(lambda: len(fake.enqueued) == 2)
    fake.add_entry(fake.enqueued[0], b"\xc1", last=True)
    assert isinstance(bad.exception(DEADLINE), ValueError)
    fake.set(is_paused=False)
    assert good.result(DEADLINE) == 1


def test_a_task_that_ends_without_an_outcome_fails(executor: FakeExecutor, fake: FakeServer) -> None:
    fake.set(is_paused=True)
    future = executor.submit(f.square, 1)
    fake.wait_until(lambda: fake.enqueued)
    fake.add_entry(fake.enqueued[0], b"", last=True)
    with pytest.raises(TaskLostError, match="Submit the call again"):
        future.result(DEADLINE)
    fake.forget_everything()


def test_an_outcome_of_a_task_that_nobody_knows_is_dropped(executor: FakeExecutor, fake: FakeServer) -> None:
    executor.submit(f.square, 1).result(DEADLINE)
    fake.add_entry(fake.enqueued[0], b"anything", last=True)
    assert executor.submit(f.square, 2).result(DEADLINE) == 4


def test_an_option_that_is_none_is_refused_with_those_that_there_are(executor: FakeExecutor) -> None:
    with pytest.raises(
        TypeError, match=r"^'time_out' is no option of a call; options are queue, timeout, retries, keep"
    ):
        executor.options(time_out=3)  # type: ignore[call-arg]
