"""The eager executor refuses what a worker would refuse, and runs the rest here."""

import functions
import numpy as np
import pytest

from farpool import ArgumentError, FunctionNotImportableError, ResultError, as_completed
from farpool.eager import EagerExecutor


def returns_a_generator():
    return (number for number in range(3))


def writes_into(array):
    array[0] = 7.0
    return array


@pytest.fixture
def executor():
    with EagerExecutor() as found:
        yield found


def test_a_call_is_over_when_it_is_submitted(executor):
    future = executor.submit(functions.add, 1, b=2)
    assert (future.done(), future.result(), future.host) == (True, 3, "eager")
    assert list(as_completed([future])) == [future]


def test_arguments_and_results_are_copies_as_from_another_host(executor):
    array = np.zeros(100_000)
    result = executor.submit(writes_into, array).result()
    assert (array[0], result[0]) == (0.0, 7.0)


def test_an_argument_that_could_not_travel_fails_the_call(executor):
    with pytest.raises(ArgumentError, match=r"argument 1 \(x: object\) cannot travel"):
        executor.submit(functions.square, object()).result()


def test_a_result_that_could_not_travel_fails_the_call(executor):
    with pytest.raises(ResultError, match="generator"):
        executor.submit(returns_a_generator).result()


def test_a_function_without_a_name_is_refused(executor):
    with pytest.raises(FunctionNotImportableError):
        executor.submit(lambda: 0)


def test_what_a_call_raises_comes_back_as_from_a_worker(executor):
    error = executor.submit(functions.fail, "oh").exception()
    assert type(error) is ValueError
    assert "oh" in str(error)
    assert any("on eager" in note for note in error.__notes__)


def test_a_map_shares_large_arrays_read_only(executor):
    array = np.zeros(200_000)
    with pytest.raises(ValueError, match="read-only"):
        list(executor.map(writes_into, [array, array]))


def test_a_reference_arrives_as_its_value(executor):
    ref = executor.put({"a": [1, 2]})
    assert executor.submit(functions.shown, [ref]).result() == "list [{'a': [1, 2]}]"
    assert ref.get() == {"a": [1, 2]}


def test_maps_and_options_work_as_on_an_executor(executor):
    assert list(executor.map(functions.add, [1, 2], [3, 4], chunksize="auto")) == [4, 6]
    assert sorted(executor.map_unordered(functions.square, range(3), buffersize=1)) == [0, 1, 4]
    assert executor.options(timeout=3.0, queue="other").submit(functions.square, 3).result() == 9


def test_a_function_that_a_test_has_replaced_is_the_one_that_runs(executor, monkeypatch):
    executor.submit(functions.square, 2).result()
    monkeypatch.setattr(functions, "square", replaced)
    replaced.__module__, replaced.__qualname__ = "functions", "square"
    assert executor.submit(functions.square, 2).result() == "replaced"


def replaced(_):
    return "replaced"


def test_nothing_is_taken_after_shutdown(executor):
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(functions.square, 2)
