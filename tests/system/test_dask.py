"""dask's graphs of functions with names run call by call on a daemon."""

from functools import partial

import dask
import numpy as np
import pytest
import tasks

import farpool.dask
from farpool import ArgumentError, FunctionNotImportableError


@pytest.fixture
def computed(executor):
    """Computes on the standing daemon."""
    return partial(dask.compute, scheduler=partial(farpool.dask.get, executor=executor))


def test_a_graph_runs_in_the_daemons_processes(host, computed):
    parts = [dask.delayed(tasks.square)(number) for number in range(6)]
    pids = [dask.delayed(tasks.pid)() for _ in range(3)]
    mean = dask.delayed(tasks.mean)(parts)
    values, found, *where = computed(parts, mean, *pids)
    assert (values, found) == ([0, 1, 4, 9, 16, 25], 55 / 6)
    assert set(where) <= {child.pid for child in host.children()}


def test_arrays_pass_from_task_to_task(computed):
    doubled = dask.delayed(tasks.doubled)(dask.delayed(tasks.doubled)(np.ones(50_000)))
    (found,) = computed(doubled)
    assert (found == 4.0).all()


def test_a_failure_is_raised_as_itself_and_what_runs_beside_it_is_stopped(computed):
    with pytest.raises(ValueError, match="oh no"):
        computed(dask.delayed(tasks.sleeps)(60.0), dask.delayed(tasks.fails)("oh no"))
    assert computed(dask.delayed(tasks.square)(2), dask.delayed(tasks.square)(3)) == (4, 9)


def test_what_has_no_name_is_refused_with_advice(computed):
    with pytest.raises(FunctionNotImportableError, match="by name"):
        computed(dask.delayed(lambda: 0)())


def test_dasks_own_way_of_using_an_executor_fails_and_says_what_could_not_travel(executor):
    with pytest.raises(ArgumentError, match="cannot travel"):
        dask.compute(dask.delayed(tasks.square)(2), scheduler=executor)
