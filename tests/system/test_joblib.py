"""joblib's Parallel over daemons does what it does over its own processes."""

import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import warnings

import joblib_tasks
import numpy as np
import pytest
from daemons import SUPPORT, daemons, lines, wait_for
from joblib import Parallel, delayed, parallel_config

import farpool.joblib
from farpool import ArgumentError, Executor, FunctionNotImportableError, SettingsError
from farpool_common.keys import Keys

PATIENCE_SECONDS = 60.0


@pytest.fixture
def far(host):
    """The calls of this test go to the standing daemon."""
    with parallel_config("farpool", url=host.url):
        yield
    gc.collect()  # frames in the traceback of an error that was raised hold the backend, and it its threads


def calls(count):
    return (delayed(joblib_tasks.root)(number**2) for number in range(count))


def test_results_come_in_order_as_from_joblibs_own_processes(far):
    assert Parallel()(calls(500)) == [float(number) for number in range(500)]


def test_calls_run_in_the_daemons_processes_and_not_here(host, far):
    found = set(Parallel()(delayed(joblib_tasks.process)() for _ in range(20)))
    assert found <= {child.pid for child in host.children()}


def test_the_backend_is_named_where_parallel_is_made_as_well(executor):
    assert Parallel(backend="farpool", n_jobs=3, executor=executor)(calls(5)) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_an_executor_of_the_user_serves_several_parallels_and_stays_open(executor):
    with parallel_config("farpool", executor=executor):
        assert Parallel()(calls(3)) == Parallel(n_jobs=2)(calls(3)) == [0.0, 1.0, 2.0]
    assert executor.submit(joblib_tasks.root, 4.0).result() == 2.0


def test_the_executor_of_a_backend_ends_with_it(host):
    def ours():
        return {thread for thread in threading.enumerate() if thread.name.startswith("farpool-")}

    before = ours()
    with parallel_config("farpool", url=host.url):
        Parallel()(calls(20))
        assert ours() - before
    wait_for(lambda: not ours() - before, lambda: str(ours()))


def test_an_executor_and_a_server_of_its_own_are_refused_together(executor):
    with pytest.raises(SettingsError, match="either it, or url and queue"):
        parallel_config("farpool", executor=executor, queue="other")


def test_n_jobs_is_all_slots_and_one_stays_here(host, executor):
    backend = farpool.joblib.FarpoolBackend(executor=executor)
    assert [backend.effective_n_jobs(n_jobs) for n_jobs in (None, -1, 7, 1)] == [2, 2, 7, 1]
    with pytest.raises(ValueError, match="n_jobs == 0"):
        backend.effective_n_jobs(0)
    with parallel_config("farpool", executor=executor, n_jobs=1):
        assert set(Parallel()(delayed(joblib_tasks.process)() for _ in range(3))) == {os.getpid()}


@pytest.mark.parametrize("batch_size", [1, 7, "auto"])
def test_each_batch_size_gives_the_same(far, batch_size):
    assert Parallel(batch_size=batch_size)(calls(60)) == [float(number) for number in range(60)]


def test_a_generator_gives_results_in_order_while_later_calls_still_run(far, tmp_path):
    journal = str(tmp_path / "journal")
    words = Parallel(return_as="generator", batch_size=1)(
        delayed(joblib_tasks.noted_sleep)(journal, word, seconds) for word, seconds in [("first", 0.0), ("last", 1.0)]
    )
    assert next(words) == "first"
    assert list(words) == ["last"]


def test_an_unordered_generator_gives_the_quick_before_the_slow(far, tmp_path):
    journal = str(tmp_path / "journal")
    words = Parallel(return_as="generator_unordered", batch_size=1)(
        delayed(joblib_tasks.noted_sleep)(journal, word, seconds) for word, seconds in [("slow", 2.0), ("quick", 0.0)]
    )
    assert list(words) == ["quick", "slow"]


def test_a_failure_is_raised_as_itself_and_the_next_parallel_works(far):
    with pytest.raises(ValueError, match="3 is bad"):
        Parallel()(delayed(joblib_tasks.fails_at)(number, 3) for number in range(10))
    assert Parallel()(calls(4)) == [0.0, 1.0, 2.0, 3.0]


def test_a_failure_stops_what_runs_beside_it(host, far, journal):
    slow = [delayed(joblib_tasks.noted_sleep)(str(journal), "slow", PATIENCE_SECONDS)]
    with pytest.raises(ValueError, match="1 is bad"):
        Parallel(batch_size=1)([*slow, delayed(joblib_tasks.fails_at)(1, 1)])
    assert Parallel()(calls(4)) == [0.0, 1.0, 2.0, 3.0]
    with Executor(host.url) as executor:  # both slots are free again long before the slow call could be over
        both = [executor.submit(joblib_tasks.noted_sleep, str(journal), "next", 0.2) for _ in range(2)]
        assert [future.result(PATIENCE_SECONDS / 2) for future in both] == ["next", "next"]


def test_a_timeout_is_raised_and_the_late_call_stopped(far, journal):
    with pytest.raises(multiprocessing.TimeoutError):
        Parallel(timeout=0.5, batch_size=1)(
            delayed(joblib_tasks.noted_sleep)(str(journal), "late", PATIENCE_SECONDS) for _ in range(2)
        )
    assert Parallel()(calls(4)) == [0.0, 1.0, 2.0, 3.0]


def test_a_large_batch_that_fails_early_is_cancelled_whole(far):
    with pytest.raises(ValueError, match="0 is bad"):
        Parallel(batch_size=2000)(delayed(joblib_tasks.fails_at)(number, 0) for number in range(8000))
    assert Parallel()(calls(2)) == [0.0, 1.0]


def test_a_generator_that_is_dropped_cancels_the_rest(far, journal):
    words = Parallel(return_as="generator", batch_size=1)(
        delayed(joblib_tasks.noted_sleep)(str(journal), str(number), 0.0 if number == 0 else PATIENCE_SECONDS)
        for number in range(4)
    )
    assert next(words) == "0"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib says that work was lost
        words.close()
    assert Parallel()(calls(2)) == [0.0, 1.0]
    assert "3" not in lines(journal)


def test_all_cores_inside_a_task_are_the_tasks_own_core(far):
    for process, used in Parallel(batch_size=1)(
        delayed(joblib_tasks.processes_of_a_parallel_inside)(-1) for _ in range(2)
    ):
        assert used == {process}


def test_an_array_for_many_calls_is_stored_once_and_arrives_read_only(client, server, tmp_path):
    array = np.ones(400_000)
    with daemons(server.url, tmp_path, "host1") as _, parallel_config("farpool", url=server.url):
        found = Parallel(n_jobs=2, batch_size=1)(
            delayed(joblib_tasks.address_and_sum)(array, number, scale=2.0) for number in range(8)
        )
        assert [total for _, total in found] == [800_000.0 + number for number in range(8)]
        assert [is_writable for is_writable, _ in found] == [False] * 8
        wait_for(lambda: not client.keys(Keys().owners("*")), lambda: str(client.keys("*")))


def test_an_array_that_is_gone_is_not_kept_until_the_last_call(client, server, tmp_path):
    def arrays():
        for number in range(12):
            yield np.full(400_000, float(number))
            most.append(len(client.keys(Keys().owners("*"))))

    most = []
    with daemons(server.url, tmp_path, "host1") as _, parallel_config("farpool", url=server.url):
        found = Parallel(n_jobs=2, batch_size=1)(delayed(joblib_tasks.address_and_sum)(array, 0) for array in arrays())
    assert [total for _, total in found] == [400_000.0 * number for number in range(12)]
    assert 0 < max(most) < 12


def test_arrays_below_max_nbytes_travel_with_each_call(far):
    array = np.ones(400_000)
    found = Parallel(batch_size=1, max_nbytes=None)(
        delayed(joblib_tasks.address_and_sum)(array, number) for number in range(4)
    )
    assert [is_writable for is_writable, _ in found] == [True] * 4


SCORES_OF_LOKY = """
import json
import joblib_tasks
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

if __name__ == "__main__":
    X, y, folds = joblib_tasks.work_of_a_search()
    calls = [delayed(joblib_tasks.score_of_fold)(X, y, *fold) for fold in folds]
    searches = [LogisticRegression(C=strength, max_iter=500) for strength in joblib_tasks.STRENGTHS]
    together = [float(score) for search in searches for score in cross_val_score(search, X, y, cv=4)]
    print(json.dumps([Parallel(n_jobs=2)(calls), together]))
"""


def test_folds_over_two_daemons_score_as_over_joblibs_own_processes_and_as_cross_val_score(server, tmp_path):
    (tmp_path / "script.py").write_text(SCORES_OF_LOKY)
    script = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(SUPPORT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    X, y, folds = joblib_tasks.work_of_a_search()  # noqa: N806
    with daemons(server.url, tmp_path, "host1", "host2"), parallel_config("farpool", url=server.url):
        scores = Parallel()(delayed(joblib_tasks.score_of_fold)(X, y, *fold) for fold in folds)
    assert [scores, scores] == json.loads(script.stdout)


def test_what_has_no_name_is_refused_with_advice_and_nothing_hangs(far):
    with pytest.raises(FunctionNotImportableError, match="by name"):
        Parallel()(delayed(lambda number: number)(number) for number in range(3))
    # Far into the inputs, where joblib submits in another thread.
    mixed = [*calls(50), delayed(lambda: 0)()]
    with pytest.raises(FunctionNotImportableError, match="by name"):
        Parallel(batch_size=1)(mixed)


def test_scikit_learns_own_searches_are_refused_before_anything_is_sent(far):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    with pytest.raises(FunctionNotImportableError, match="estimators"):
        cross_val_score(LogisticRegression(), np.eye(8), [0, 1] * 4, cv=2)


def test_an_argument_that_cannot_travel_is_named(far):
    with pytest.raises(ArgumentError, match=r"argument 1 .*cannot travel"):
        Parallel()(delayed(joblib_tasks.root)(value) for value in [1.0, object(), 2.0])


@pytest.fixture
def keyed(server, tmp_path, monkeypatch):
    """The calls of this test go to two daemons that share a key with it."""
    monkeypatch.setenv("FARPOOL_KEY", "k" * 43)
    with daemons(server.url, tmp_path, "host1", "host2") as found, parallel_config("farpool", url=server.url):
        yield found
        gc.collect()


def test_scikit_learns_own_tools_find_over_two_daemons_what_they_find_on_loky_to_the_last_bit(keyed):
    script = subprocess.run([sys.executable, str(SUPPORT / "scores_by_loky.py")], stdout=subprocess.PIPE, check=True)
    assert joblib_tasks.numbers_of_searches() == json.loads(script.stdout)


def test_both_hosts_take_part_in_a_search(keyed):
    pids = {child.pid for daemon in keyed for child in daemon.children()}
    assert set(Parallel(batch_size=1)(delayed(joblib_tasks.slow_process)(0.05) for _ in range(40))) == pids


def test_lambdas_and_closures_run_on_daemons(keyed):
    assert os.getpid() not in Parallel(batch_size=1)(delayed(lambda: os.getpid())() for _ in range(4))
    assert Parallel()(delayed(lambda number: -number)(number) for number in range(5)) == [0, -1, -2, -3, -4]


def test_a_batch_of_several_functions_keeps_its_order(far):
    calls = [
        delayed(joblib_tasks.root)(number) if number % 3 else delayed(joblib_tasks.fails_at)(number, -1)
        for number in range(90)
    ]
    found = Parallel(batch_size=30)(calls)
    assert found == [joblib_tasks.root(number) for number in range(90)]


def test_arrays_in_containers_keywords_and_objects_are_stored_once_and_read_only(keyed, client):
    array = np.ones(400_000)
    before = client.info("stats")["total_net_input_bytes"]
    inside = Parallel(batch_size=1)(delayed(joblib_tasks.sums_inside)(value={"arrays": [array]}) for _ in range(6))
    frames = Parallel(batch_size=1)(delayed(joblib_tasks.sum_of_frame)(joblib_tasks.Frame(array)) for _ in range(6))
    received = client.info("stats")["total_net_input_bytes"] - before
    assert inside == [[(False, 400_000.0)]] * 6
    assert frames == [(False, 400_000.0)] * 6
    assert received < 2.5 * array.nbytes  # once for each `Parallel`, not for each call
    wait_for(lambda: not client.keys(Keys().owners("*")), lambda: str(client.keys("*")))


def test_joblibs_memory_works_inside_tasks(far, tmp_path, journal):
    for _ in range(2):
        found = Parallel(n_jobs=2)(
            delayed(joblib_tasks.remembered)(str(tmp_path / "cache"), str(journal), number) for number in range(4)
        )
        assert found == [0, 2, 4, 6]
    assert sorted(lines(journal)) == ["0", "1", "2", "3"]


def test_after_an_error_nothing_of_the_other_calls_is_left_on_the_server(server, client, tmp_path, journal):
    with daemons(server.url, tmp_path, "host1"), parallel_config("farpool", url=server.url):
        slow = [delayed(joblib_tasks.noted_sleep)(str(journal), "slow", PATIENCE_SECONDS) for _ in range(20)]
        with pytest.raises(ValueError, match="1 is bad"):
            Parallel(n_jobs=4, pre_dispatch="all", batch_size=1)([delayed(joblib_tasks.fails_at)(1, 1), *slow])
        wait_for(lambda: not client.llen("rq:queue:default") and not client.zcard("rq:wip:default"))
        assert len(lines(journal)) <= 1
        assert Parallel()(calls(3)) == [0.0, 1.0, 2.0]


INTERRUPTED = """
import sys
import joblib_tasks
import farpool.joblib
from joblib import Parallel, delayed

if __name__ == "__main__":
    Parallel(backend="farpool", url=sys.argv[1], batch_size=1)(
        delayed(joblib_tasks.noted_sleep)(sys.argv[2], "slow", 60.0) for _ in range(10)
    )
"""


def test_ctrl_c_cancels_all_calls(server, client, tmp_path, journal):
    (tmp_path / "script.py").write_text(INTERRUPTED)
    with daemons(server.url, tmp_path, "host1") as (daemon,):
        command = [sys.executable, "script.py", server.url, str(journal)]
        environ = os.environ | {"PYTHONPATH": str(SUPPORT)}
        with subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True) as script:
            wait_for(lambda: lines(journal))
            script.send_signal(signal.SIGINT)
            assert "KeyboardInterrupt" in script.communicate(timeout=PATIENCE_SECONDS / 2)[1]
        wait_for(lambda: not client.llen("rq:queue:default") and not client.zcard("rq:wip:default"))
        assert lines(journal) == ["slow"]
        assert daemon.process.poll() is None


def test_what_is_verbose_tells_how_far_it_is(far, capfd):
    Parallel(n_jobs=2, verbose=10)(calls(50))
    told = capfd.readouterr()
    assert "FarpoolBackend" in told.out + told.err
    assert "Done  50 tasks" in told.out + told.err or "Done  50 out of  50" in told.out + told.err
