"""dask's graphs on daemons: of functions with names without a key, and of any kind with one."""

from functools import partial

import dask
import dask.array as da
import dask.bag as db
import numpy as np
import pytest
import tasks
from bench.relay import relayed
from daemons import daemons, wait_for
from dask._task_spec import Task
from dask.callbacks import Callback

import farpool.dask
from farpool import ArgumentError, Executor, FunctionNotImportableError, ObjectExpiredError, Ref
from farpool_common.keys import Keys


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


def test_a_task_within_a_task_is_refused_with_advice(executor):
    inner = Task(None, tasks.square, 3)
    with pytest.raises(FunctionNotImportableError, match="share a key"):
        farpool.dask.get({"x": Task("x", tasks.square, inner)}, "x", executor=executor)


def test_without_a_key_dasks_own_way_of_using_an_executor_says_what_could_not_travel(executor):
    with pytest.raises(ArgumentError, match=r"cannot travel.*farpool key --new"):
        dask.compute(dask.delayed(tasks.square)(2), scheduler=executor)


# --- with a key ----------------------------------------------------------------------------------


@pytest.fixture
def keyed(server, tmp_path, monkeypatch):
    """An executor on two daemons that share a key with it."""
    monkeypatch.setenv("FARPOOL_KEY", "k" * 43)
    monkeypatch.setenv("FARPOOL_URL", server.url)
    with daemons(server.url, tmp_path, "host1", "host2"), Executor() as executor:
        yield executor


@pytest.fixture(params=["farpool.dask.get", "with an executor", "the executor itself"])
def scheduler(request, keyed):
    """Each way to say where graphs run."""
    return {
        "farpool.dask.get": farpool.dask.get,
        "with an executor": partial(farpool.dask.get, executor=keyed),
        "the executor itself": keyed,
    }[request.param]


def test_arrays_bags_and_delayed_functions_give_what_dasks_own_scheduler_gives(scheduler):
    array = da.random.default_rng(3).random((200, 200), chunks=(60, 70))
    product = array @ array.T
    scores = [((product - product.mean(axis=0)) / product.std()).max(), product[3:50, 10].sum()]
    bag = db.from_sequence(range(100), npartitions=5)
    words = bag.map(lambda number: number * 7).filter(lambda number: number % 2).map(str).frequencies()
    late = dask.delayed(lambda *numbers: sum(numbers))(*map(dask.delayed(tasks.square), range(5)))
    assert dask.compute(*scores, late, scheduler=scheduler) == dask.compute(*scores, late, scheduler="sync")
    assert sorted(words.compute(scheduler=scheduler)) == sorted(words.compute(scheduler="sync"))
    assert bag.sum().compute(scheduler=scheduler) == 4950


def test_a_failure_is_raised_as_itself_from_any_graph(scheduler):
    broken = da.ones(100, chunks=50).map_blocks(tasks.fails_on_array, dtype=float)
    with pytest.raises(ValueError, match="no such block"):
        broken.sum().compute(scheduler=scheduler)


def test_a_failure_names_its_key(keyed):
    with pytest.raises(ValueError, match="oh") as caught:
        dask.delayed(tasks.fails)("oh", dask_key_name="the-third").compute(scheduler=farpool.dask.get)
    assert any("'the-third' of a dask graph" in note for note in caught.value.__notes__)


def test_what_is_wanted_and_needed_by_other_tasks_as_well_comes_here(keyed):
    inner = dask.delayed(tasks.ones)(50_000)
    outer = dask.delayed(tasks.mean)(inner)
    found, mean, both = dask.compute(inner, outer, [inner, {"mean": outer}], scheduler=farpool.dask.get)
    assert (found == 1.0).all()
    assert (mean, both[1]) == (1.0, {"mean": 1.0})
    assert (both[0] == 1.0).all()


def test_intermediate_results_stay_with_the_workers_and_go_when_no_task_needs_them(keyed, server, client):
    blocks = da.random.default_rng(1).random((1000, 1000), chunks=(250, 250))
    total = ((blocks @ blocks.T) * 2).sum()
    with relayed(server.url) as relay, Executor(relay.url) as executor:
        found = total.compute(scheduler=partial(farpool.dask.get, executor=executor), optimize_graph=False)
        by_references = relay.sent + relay.received
        wait_for(lambda: not client.keys(Keys().owners("*")))
        assert total.compute(scheduler=executor, optimize_graph=False) == found
        by_values = relay.sent + relay.received - by_references
    assert by_references < blocks.nbytes
    assert by_values > 10 * by_references
    assert not client.keys(Keys().object("*"))


def test_an_array_in_a_graph_is_stored_once_for_all_tasks(keyed, client):
    array = np.ones(400_000)
    before = client.info("stats")["total_net_input_bytes"]
    sums = [dask.delayed(tasks.sum_plus)(array, number) for number in range(8)]
    assert list(dask.compute(*sums, scheduler=farpool.dask.get)) == [400_000.0 + number for number in range(8)]
    assert client.info("stats")["total_net_input_bytes"] - before < 1.5 * array.nbytes


class Loses(Callback):
    """Removes each intermediate result from the server as soon as it is known."""

    def __init__(self, client):
        super().__init__(posttask=self.lose)
        self.client = client

    def lose(self, key, result, dsk, state, worker_id):
        if isinstance(result, Ref):
            self.client.delete(Keys().object(result.id))


def test_an_intermediate_result_that_is_lost_fails_the_task_that_needs_it(server, client, tmp_path):
    first = dask.delayed(tasks.ones)(50_000)
    last = dask.delayed(tasks.mean)(first, dask_key_name="needs-it")
    with (
        daemons(server.url, tmp_path, "host1", FARPOOL_OBJECT_BYTES="1000"),  # it keeps nothing that is not in use
        Executor(server.url) as executor,
        Loses(client),
        pytest.raises(ObjectExpiredError) as caught,
    ):
        last.compute(scheduler=partial(farpool.dask.get, executor=executor))
    assert any("'needs-it' of a dask graph" in note for note in caught.value.__notes__)
    wait_for(lambda: not client.keys(Keys().owners("*")))
