"""Initializers of executors, as concurrent.futures' and as ours."""

from collections import Counter
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from pathlib import Path

import conformance_tasks as tasks
import pytest
from daemons import wait_for

import farpool

SLOTS = 4
"""Of either side: see conftest.py."""


def runs(folder: Path, mark: str) -> Counter[str]:
    """How often an initializer ran, by process."""
    return Counter(path.name.split(".")[1] for path in folder.glob(f"{mark}.*"))


def test_it_runs_once_in_each_process_before_its_calls(tools, tmp_path):
    with tools.Executor(initializer=tasks.note_process, initargs=(str(tmp_path), "a")) as executor:
        futures = [executor.submit(tasks.marks, str(tmp_path / "go")) for _ in range(SLOTS)]
        wait_for(lambda: len(runs(tmp_path, "a")) == SLOTS)
        (tmp_path / "go").touch()
        futures += [executor.submit(tasks.marks) for _ in range(20)]
        assert all(future.result(30)[1].count("a") == 1 for future in futures)
    assert set(runs(tmp_path, "a").values()) == {1}


def test_one_that_fails_breaks_its_executor(tools, tmp_path):
    executor = tools.Executor(initializer=tasks.refuse, initargs=(str(tmp_path), "no such licence"))
    pending = [executor.submit(tasks.square, 0)]
    with suppress(BrokenExecutor):  # it may be noticed while we submit
        pending += [executor.submit(tasks.square, number) for number in range(30)]
    for future in pending:
        assert isinstance(future.exception(30), BrokenExecutor)
        assert not future.cancelled()
    for submit in (executor.submit, executor.map):
        with pytest.raises(BrokenExecutor):
            submit(tasks.square, [1])
    executor.shutdown()
    assert max(runs(tmp_path, "refused").values()) == 1


@pytest.mark.parametrize("chunksize", [1, 5])
def test_one_that_fails_ends_a_map(tools, tmp_path, chunksize):
    with (
        tools.Executor(initializer=tasks.refuse, initargs=(str(tmp_path), "no")) as executor,
        pytest.raises(BrokenExecutor),
    ):
        list(executor.map(tasks.square, range(100), chunksize=chunksize))


def test_others_go_on_beside_a_broken_executor(tools, tmp_path):
    with tools.Executor() as sound:
        first = [sound.submit(tasks.wait_for, str(tmp_path / "go")) for _ in range(2)]
        with tools.Executor(initializer=tasks.refuse, initargs=(str(tmp_path), "no")) as broken:
            assert isinstance(broken.submit(tasks.square, 1).exception(30), BrokenExecutor)
        (tmp_path / "go").touch()
        assert [future.result(30) for future in first] == [str(tmp_path / "go")] * 2
        assert sound.submit(tasks.square, 3).result(30) == 9


def test_what_must_be_callable(tools):
    with pytest.raises(TypeError, match="initializer must be a callable"):
        tools.Executor(initializer=3)


def test_the_error_of_a_broken_executor_says_why(standing_host, tmp_path):
    executor = farpool.Executor(
        standing_host.url, initializer=tasks.refuse, initargs=(str(tmp_path), "no such licence")
    )
    running = executor.submit(tasks.square, 1)
    error = running.exception(30)
    assert type(error) is farpool.InitializerError
    assert "initializer conformance_tasks:refuse failed: LookupError: no such licence" in str(error)
    assert "in refuse" in str(error.__cause__)
    assert "host1" in "".join(error.__notes__)
    with pytest.raises(farpool.InitializerError, match="no such licence") as later:
        executor.submit(tasks.square, 1)
    assert "in refuse" in str(later.value.__cause__)
    executor.shutdown()
