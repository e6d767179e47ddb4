"""Where ours differs from the standard library's: lines of the tables in docs/conformance.md."""

import multiprocessing
from concurrent.futures import CancelledError

import conformance_tasks as tasks
import pytest
from daemons import daemons

import farpool


@pytest.fixture
def ours(standing_host, monkeypatch):
    """The address of our server, in the environment."""
    monkeypatch.setenv("FARPOOL_URL", standing_host.url)
    return standing_host.url


def test_parameters_of_a_process_pool_executor_that_have_no_effect_say_so(ours):
    with (
        pytest.warns(RuntimeWarning, match=r"mp_context has no effect here"),
        pytest.warns(RuntimeWarning, match=r"max_tasks_per_child=5.*farpool worker --max-tasks-per-child 5"),
        farpool.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=5) as executor,
    ):
        assert executor.submit(tasks.square, 3).result() == 9


def test_the_cores_that_are_counted_are_the_slots_of_all_hosts(ours, tmp_path):
    before = farpool.cpu_count()
    with daemons(ours, tmp_path, "another", options=("-c", "2")):
        assert farpool.cpu_count() == before + 2
    assert farpool.cpu_count(queue="nobody") == 1, "as little as multiprocessing counts"


def test_maxtasksperchild_says_that_it_has_no_effect(ours):
    with (
        pytest.warns(RuntimeWarning, match=r"no effect here.*farpool worker --max-tasks-per-child 5"),
        farpool.Pool(maxtasksperchild=5) as pool,
    ):
        assert pool.apply(tasks.square, (3,)) == 9


def test_a_failing_map_raises_the_first_in_the_order_of_its_inputs(ours, tmp_path):
    with farpool.Pool() as pool, pytest.raises(KeyError):
        pool.map(tasks.fail_at_three, [3, *range(50)], 1)


def test_results_of_a_terminated_pool_are_cancelled(ours, tmp_path):
    pool, never = farpool.Pool(), str(tmp_path / "never")
    results = [pool.apply_async(tasks.wait_for, (never,)), pool.map_async(tasks.wait_for, [never] * 3)]
    lazily = pool.imap(tasks.wait_for, [never])
    pool.terminate()
    for result in results:
        with pytest.raises(CancelledError):
            result.get(30)
    with pytest.raises((CancelledError, RuntimeError)):
        lazily.next(30)
    pool.join()


@pytest.mark.parametrize("method", ["apply_async", "map_async", "starmap_async"])
def test_a_lambda_is_refused_at_once(ours, method):
    with farpool.Pool() as pool, pytest.raises(farpool.FunctionNotImportableError, match="Nothing was sent"):
        getattr(pool, method)(lambda: 1, [(1,)])


@pytest.mark.parametrize("method", ["apply_async", "map_async"])
def test_a_callback_that_raises_is_printed_and_the_result_is_there(ours, capsys, method):
    def broken(_):
        raise ArithmeticError("in the callback")

    with farpool.Pool() as pool:
        getattr(pool, method)(tasks.square, [3], callback=broken).get(30)
        assert pool.apply(tasks.square, (3,)) == 9
    assert "ArithmeticError: in the callback" in capsys.readouterr().err


def test_a_process_is_known_when_it_has_returned(ours, tmp_path):
    process = farpool.Process(target=tasks.note_start_and_wait, args=(str(tmp_path / "began"), str(tmp_path / "go")))
    process.start()
    tasks.wait_for(str(tmp_path / "began"))
    assert (process.pid, process.host) == (None, None)
    (tmp_path / "go").touch()
    process.join(30)
    assert (process.pid is not None, process.host) == (True, "host1")


def test_a_process_without_a_target_is_refused(ours):
    with pytest.raises(farpool.SettingsError, match="target=FUNCTION"):
        farpool.Process().start()
