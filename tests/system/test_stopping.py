"""Signals, burst, idle time: how a daemon ends, and with which code."""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import tasks
from daemons import Daemon, daemons, lines, wait_for

from farpool import Executor
from farpool_common.broker import connect


def test_sigterm_hands_waiting_work_to_another_host_and_nothing_is_lost_or_run_twice(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a", "b") as (a, _), Executor(server.url) as executor:
        futures = [executor.submit(tasks.noted_square, str(journal), n, 0.05) for n in range(60)]
        wait_for(lambda: len(lines(journal)) > 10)
        a.terminate()
        assert a.wait() == 0
        assert [future.result(60) for future in futures] == [n * n for n in range(60)]
    assert Counter(lines(journal)) == Counter(f"{word} {n}" for n in range(60) for word in ("start", "end"))
    told = r"SIGTERM: [012] running \(longest 0 s\), \d+ claimed go back to the queue; exit within 30 s"
    assert re.search(told, a.text())


def test_sigterm_lets_the_running_call_of_a_long_chunk_end_and_hands_back_the_rest(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a") as (a,), Executor(server.url) as executor:
        results = executor.map(tasks.noted_square, [str(journal)] * 40, range(40), [0.1] * 40, chunksize=40)
        wait_for(lambda: len(lines(journal)) > 4)
        a.terminate()
        assert a.wait() == 0
        ended = len(lines(journal)) // 2
        assert ended < 39, "it did not run the whole chunk"
        with daemons(server.url, tmp_path, "b"):
            assert list(results) == [n * n for n in range(40)]
    assert Counter(lines(journal)) == Counter(f"{word} {n}" for n in range(40) for word in ("start", "end"))


def test_a_second_signal_hands_back_what_runs(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a") as (a,), Executor(server.url) as executor:
        future = executor.submit(tasks.noted_square, str(journal), 1, 30)
        wait_for(lambda: lines(journal))
        a.terminate()
        wait_for(lambda: "SIGTERM" in a.text())
        a.terminate()
        assert a.wait(10) == 0
        with connect(server.url) as client:
            assert client.hmget(client.keys("rq:job:*")[0], "status", "farpool_attempts") == [b"queued", b"0"]
        assert future.cancel()


def test_time_for_draining_is_limited(server, tmp_path, journal):
    options = ("-c", "1", "--drain-seconds", "0.5")
    with daemons(server.url, tmp_path, "a", options=options) as (a,), Executor(server.url) as executor:
        future = executor.submit(tasks.noted_square, str(journal), 1, 60)
        wait_for(lambda: lines(journal))
        a.terminate()
        assert a.wait(15) == 0
        assert future.cancel()


def test_a_stopped_daemon_is_gone_from_the_list_of_workers(server, tmp_path):
    with daemons(server.url, tmp_path, "a") as (a,), connect(server.url) as client:
        assert client.smembers("rq:workers") == {b"rq:worker:a"}
        a.terminate()
        assert a.wait() == 0
        assert client.smembers("rq:workers") == set()
        assert client.keys("rq:farpool:*") == []


@pytest.mark.parametrize(("function", "code"), [("tasks.square", 0), ("tasks.fails", 75)])
def test_burst_ends_when_the_queues_are_empty(server, tmp_path, function, code):
    enqueue = [sys.executable, "-m", "farpool", "enqueue", "-u", server.url, function, "4"]
    subprocess.run(enqueue, check=True, capture_output=True)
    daemon = Daemon(server.url, "a", tmp_path / "log", "-c", "1", "--burst")
    assert daemon.wait() == code, daemon.text()
    with connect(server.url) as client:
        assert client.llen("rq:queue:default") == 0


def test_a_daemon_that_is_idle_for_too_long_ends(server, tmp_path):
    daemon = Daemon(server.url, "a", tmp_path / "log", "-c", "1", "--max-idle-time", "0.5")
    assert daemon.wait() == 0, daemon.text()


def test_children_are_replaced_after_so_many_calls(server, tmp_path):
    options = ("-c", "1", "--max-tasks-per-child", "5")
    with daemons(server.url, tmp_path, "a", options=options), Executor(server.url) as executor:
        pids = {executor.submit(tasks.pid).result(30) for _ in range(20)}
    assert len(pids) >= 4


@contextmanager
def as_pid_1(url: str, folder: Path) -> Iterator[Path]:
    """A daemon that is PID 1 of a namespace; must end with 0 at SIGTERM.  Yields its log."""
    worker = [sys.executable, "-m", "farpool_worker", "-u", url, "-n", "one", "-c", "1"]
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child", *worker]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, cwd=Path(tasks.__file__).parent)
    try:
        yield folder / "log"
        (inner,) = psutil.Process(process.pid).children()
        inner.terminate()
        assert process.wait(30) == 0, (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()


def test_the_daemon_works_as_pid_1(server, tmp_path, journal):
    with as_pid_1(server.url, tmp_path), Executor(server.url) as executor:
        assert executor.submit(tasks.noted_square, str(journal), 5).result(60) == 25


def test_pid_1_collects_the_orphans_of_tasks(server, tmp_path):
    with as_pid_1(server.url, tmp_path), Executor(server.url) as executor:
        executor.submit(tasks.leaves_orphans, 20).result(60)
        wait_for(lambda: executor.submit(tasks.zombies).result(30) == 0)


def test_ctrl_c_drains_like_sigterm(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a") as (a,), Executor(server.url) as executor:
        future = executor.submit(tasks.noted_square, str(journal), 2, 0.5)
        wait_for(lambda: lines(journal))
        a.process.send_signal(signal.SIGINT)
        assert a.wait() == 0
        assert future.result(30) == 4


def test_a_restart_under_the_same_name_charges_what_the_predecessor_ran(server, tmp_path, journal):
    with Executor(server.url) as executor:
        with daemons(server.url, tmp_path, "same") as (first,):
            future = executor.options(retries=1).submit(tasks.noted_square, str(journal), 1, 60)
            wait_for(lambda: lines(journal))
            first.process.kill()
            first.wait()
        with daemons(server.url, tmp_path, "same") as (second,):
            wait_for(lambda: len(lines(journal)) == 2)
            assert "lease lapsed" in second.text()
            with connect(server.url) as client:
                (job,) = client.keys("rq:job:*")
                assert client.hmget(job, "farpool_attempts", "farpool_abandons") == [b"2", b"1"]
            future.cancel()
