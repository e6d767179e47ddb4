"""Every program of docs/joblib.md, docs/dask.md and docs/testing.md runs."""

import pytest
from daemons import daemons
from pages import blocks, run_script


@pytest.fixture
def run(server, tmp_path):
    """Runs a program with a daemon that knows its folder, and gives the lines it prints."""

    def printed(program: str) -> list[str]:
        return run_script(program, tmp_path, url=server.url).splitlines()

    with daemons(server.url, tmp_path, "host1", "host2", options=("-c", "1", "-P", str(tmp_path))):
        yield printed


@pytest.fixture
def keyed(monkeypatch, request):
    """The same, where workers and program share a key."""
    monkeypatch.setenv("FARPOOL_KEY", "k" * 43)
    return request.getfixturevalue("run")


def test_the_program_with_joblib_prints_the_same_values_in_both_ways(run):
    first, *others = run(blocks("docs/joblib.md", "python")[0])
    assert sorted(map(float, others)) == sorted(eval(first))
    assert len(others) == 8


def test_the_program_with_scikit_learns_own_tools_prints_what_it_prints_without_workers(keyed):
    program = blocks("docs/joblib.md", "python")[1]
    alone = program.replace('parallel_config("farpool")', 'parallel_config("sequential")')
    assert keyed(program) == keyed(alone)


def test_the_program_with_folds_prints_eight_scores(run):
    (scores,) = run(blocks("docs/joblib.md", "python")[2])
    assert all(0.5 < score <= 1.0 for score in eval(scores))
    assert len(eval(scores)) == 8


def test_the_program_with_dasks_collections(keyed):
    mean, words, late = keyed(blocks("docs/dask.md", "python")[0])
    assert 0.2 < float(mean) < 0.3
    assert eval(words) == [("be", 2), ("not", 1), ("or", 1), ("to", 2)]
    assert late == "(3, 4)"


def test_the_program_with_dasks_delayed_functions_adds_up_without_a_key(run):
    assert run(blocks("docs/dask.md", "python")[1]) == ["14"]


def test_the_program_with_references_prints_the_last_number(run):
    assert run(blocks("docs/dask.md", "python")[2]) == ["1999998.0"]


def test_the_tests_on_the_page_about_testing_pass(pytester):
    eager, cluster = blocks("docs/testing.md", "python")
    pytester.makepyfile(test_eager_page=eager, test_cluster_page=cluster)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_each_test_has_an_executor_of_its_own_on_one_pool_and_leftovers_are_cancelled(pytester):
    pytester.makepyfile(
        """
        import time

        def naps(seconds):
            time.sleep(seconds)

        def test_one(farpool_cluster, farpool_pool):
            for _ in range(20):
                farpool_cluster.submit(naps, 0.3)
            farpool_pool.seen = farpool_cluster

        def test_two(farpool_cluster, farpool_pool):
            assert farpool_pool.seen is not farpool_cluster
            assert farpool_cluster.submit(naps, 0.0).result() is None
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_a_run_of_pytest_that_uses_no_fixture_imports_nothing_of_farpool_but_the_plugin(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert {n for n in sys.modules if n.startswith("farpool")} == {"farpool", "farpool.testing"}
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
