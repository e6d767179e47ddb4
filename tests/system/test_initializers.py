"""Initializers on a real daemon whose processes several executors share."""

import os
import signal

import pytest
import tasks
from daemons import Daemon, daemons, lines, wait_for

from farpool import Executor, InitializerError

KEY = "k" * 43


@pytest.fixture
def keyed(shared_server, tmp_path, monkeypatch):
    """A daemon with one process, which shares a key with this process."""
    monkeypatch.setenv("FARPOOL_KEY", KEY)
    with daemons(shared_server.url, tmp_path, "keyed") as found:
        yield found[0]


def noting(journal, word):
    """An initializer that travels by value."""

    def note():
        import os

        with open(journal, "a") as file:
            file.write(f"{word} {os.getpid()}\n")

    return note


def test_several_executors_share_a_process_and_each_initializes_it_once(keyed: Daemon, journal):
    first, second = (Executor(keyed.url, initializer=noting(str(journal), word)) for word in ("first", "second"))
    with first, second:
        for _ in range(3):
            pids = {executor.submit(tasks.pid).result(60) for executor in (first, second)}
            assert len(pids) == 1
        with pytest.raises(InitializerError, match="ZeroDivisionError"):
            Executor(keyed.url, initializer=lambda: 1 / 0).submit(tasks.pid).result(60)
        assert first.submit(tasks.pid).result(60) in pids
    assert lines(journal) == [f"{word} {pid}" for word in ("first", "second") for pid in pids]


def test_a_process_that_takes_anothers_place_is_initialized_anew(keyed: Daemon, journal):
    with Executor(keyed.url, initializer=noting(str(journal), "ran")) as executor:
        before = executor.submit(tasks.pid).result(60)
        os.kill(before, signal.SIGKILL)
        after = executor.submit(tasks.pid).result(60)
        assert after != before
        assert executor.submit(tasks.pid).result(60) == after
    assert lines(journal) == [f"ran {before}", f"ran {after}"]


def test_a_broken_executor_stops_what_it_runs_and_spares_others(host: Daemon, executor, tmp_path):
    """Two processes: one runs a call already when the other's initializer fails."""
    broken = Executor(host.url, initializer=tasks.refuse_the_second, initargs=(str(tmp_path),))
    other = executor.submit(tasks.noted_or_waits, str(tmp_path / "noted"), "other", str(tmp_path / "go"))
    wait_for(lambda: lines(tmp_path / "noted") == ["other"])
    running = broken.submit(tasks.begin_and_sleep, str(tmp_path / "begun"))
    wait_for(lambda: (tmp_path / "begun").exists() and os.listdir(tmp_path / "begun"))
    (tmp_path / "go").touch()  # now the second process is free
    failed = broken.submit(tasks.square, 3)
    for future in (running, failed):
        assert isinstance(future.exception(60), InitializerError)
    broken.shutdown()
    assert other.result(60) == "other"
    assert executor.submit(tasks.square, 4).result(60) == 16


def test_an_initializer_that_may_not_run_breaks_its_executor(host: Daemon):
    with Executor(host.url, initializer=os.getcwd) as executor:
        error = executor.submit(tasks.square, 3).exception(60)
    assert isinstance(error, InitializerError)
    assert "may not run here" in str(error)


def test_an_initializer_may_make_the_calls_module_importable(keyed: Daemon, tmp_path, monkeypatch):
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "found_late.py").write_text("def answer(): return 42\n")
    monkeypatch.syspath_prepend(tmp_path / "late")
    import found_late

    folder = str(tmp_path / "late")

    def prepare():
        import sys

        sys.path.insert(0, folder)

    options = ("-c", "1", "--allow", "found_late", "late")
    with (
        daemons(keyed.url, tmp_path, "trusting", options=options),
        Executor(keyed.url, queue="late", initializer=prepare) as executor,
    ):
        assert executor.submit(found_late.answer).result(60) == 42


def test_an_executor_inside_a_call_that_breaks_is_no_matter_of_the_outer_one(host: Daemon):
    with Executor(host.url, initializer=tasks.square, initargs=(1,)) as executor:
        with pytest.raises(InitializerError):
            executor.submit(tasks.break_an_executor, host.url).result(60)
        assert executor.submit(tasks.square, 3).result(60) == 9
