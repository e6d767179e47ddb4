"""Processes and hosts that die: what it costs, and what the user reads."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import tasks
from daemons import daemons, lines, wait_for

from farpool import Executor, TaskTimeoutError, WorkerLostError
from farpool_common.broker import connect


def test_a_killed_child_costs_one_attempt_and_all_two_hundred_results_arrive(executor, journal):
    futures = [executor.submit(tasks.noted_square, str(journal), n, 0.01) for n in range(199)]
    victim = executor.submit(tasks.tells_its_pid, str(journal), 1.0)
    os.kill(pid_in(journal), signal.SIGKILL)
    assert [future.result() for future in futures] == [n * n for n in range(199)]
    assert victim.result() == victim.pid
    starts = Counter(line for line in lines(journal) if line.startswith("start"))
    assert starts == Counter(f"start {n}" for n in range(199)), "what the child did not run was not run again"
    assert len([line for line in lines(journal) if line.startswith("pid")]) == 2, "one attempt was lost"


def test_without_retries_the_lost_call_alone_fails_and_says_who_killed_it(executor, journal):
    once = executor.options(retries=0)
    futures = [once.submit(tasks.noted_square, str(journal), n, 0.01) for n in range(99)]
    victim = once.submit(tasks.tells_its_pid, str(journal), 60.0)
    pid = pid_in(journal)
    os.kill(pid, signal.SIGKILL)
    error = victim.exception()
    assert isinstance(error, WorkerLostError)
    assert f"on host1 (pid {pid}) was killed by signal 9" in str(error)
    assert [future.result() for future in futures] == [n * n for n in range(99)]


def pid_in(journal: Path) -> int:
    """The process that is in `tells_its_pid`."""
    wait_for(lambda: any(line.startswith("pid") for line in lines(journal)))
    return next(int(line.split()[1]) for line in lines(journal) if line.startswith("pid"))


def test_a_call_that_kills_its_process_fails_after_its_retries(executor, journal):
    error = executor.submit(tasks.dies, str(journal)).exception()
    assert isinstance(error, WorkerLostError)
    assert "killed by signal 9" in str(error)
    assert len(lines(journal)) == 3, "once, and two retries"


def test_a_call_that_kills_its_process_once_succeeds_the_second_time(executor, journal):
    assert executor.submit(tasks.dies_once, str(journal)).result() == "second attempt"


def test_a_call_over_its_limit_is_stopped_and_the_others_go_on(executor):
    slow = executor.options(timeout=0.3).submit(tasks.sleeps, 60)
    others = [executor.submit(tasks.square, n) for n in range(50)]
    with pytest.raises(TaskTimeoutError, match=r"^stopped after 0\.\d s \(limit 0\.3 s\) on host1\n"):
        slow.result()
    assert [future.result() for future in others] == [n * n for n in range(50)]


def test_a_call_that_ignores_its_limit_is_killed(executor):
    future = executor.options(timeout=0.3).submit(tasks.ignores_alarms, 60)
    with pytest.raises(TaskTimeoutError, match=r"limit 0\.3 s\) on host1\n"):
        future.result(30)


def test_a_running_call_that_is_cancelled_is_stopped(executor, journal):
    future = executor.submit(tasks.noted_square, str(journal), 1, 60)
    wait_for(lambda: lines(journal))
    assert future.cancel()
    assert executor.submit(tasks.noted_square, str(journal), 2).result(30) == 4
    assert executor.submit(tasks.noted_square, str(journal), 3).result(30) == 9
    assert "end 1" not in lines(journal)


def test_what_a_killed_host_ran_is_run_by_another(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a", "b") as (a, _), Executor(server.url) as executor:
        futures = [executor.submit(tasks.noted_square, str(journal), n, 0.3) for n in range(8)]
        wait_for(lambda: len(lines(journal)) >= 2)
        children = a.children()
        os.kill(a.pid, signal.SIGKILL)
        a.process.wait()
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive, "children outlive their daemon"
        assert [future.result(60) for future in futures] == [n * n for n in range(8)]
    ends = Counter(line for line in lines(journal) if line.startswith("end"))
    assert set(ends) == {f"end {n}" for n in range(8)}
    assert max(ends.values()) == 1, "nothing that had ended ran again"


def test_a_call_that_writes_into_every_file_is_charged_and_the_next_loss_is_noticed(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a"), Executor(server.url) as executor:
        once = executor.options(retries=0)
        assert isinstance(once.submit(tasks.writes_into_every_file).exception(30), WorkerLostError)
        assert isinstance(once.submit(tasks.dies, str(journal)).exception(30), WorkerLostError)
        assert len(lines(journal)) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_the_death_of_the_template_costs_what_its_children_ran_and_the_daemon_serves_on(server, tmp_path, number):
    with daemons(server.url, tmp_path, "a") as (daemon,), Executor(server.url) as executor:
        assert executor.submit(tasks.square, 2).result() == 4
        template = daemon.children()[0].parent()
        running = executor.submit(tasks.sleeps, 0.5)
        wait_for(running.running)
        template.send_signal(number)
        assert running.result(30) == 0.5
        assert executor.submit(tasks.square, 3).result(30) == 9
        assert daemon.process.poll() is None


def test_the_result_of_a_host_that_was_paused_too_long_is_refused(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a") as (a,), Executor(server.url) as executor:
        future = executor.submit(tasks.noted_square, str(journal), 3, 1.0)
        wait_for(lambda: lines(journal))
        a.process.send_signal(signal.SIGSTOP)
        with daemons(server.url, tmp_path, "b") as (b,):
            assert future.result(60) == 9
            assert future.host == "b"
            a.process.send_signal(signal.SIGCONT)
            wait_for(lambda: "taken away" in a.text() or "refused" in a.text(), a.text)
            assert executor.submit(tasks.square, 4).result(30) == 16
            assert b.process.poll() is None


def test_soft_limits_of_small_tasks_leave_nothing_armed(executor):
    quick = executor.options(timeout=0.5)
    assert list(quick.map(tasks.square, range(100))) == [n * n for n in range(100)]
    time.sleep(0.6)
    assert executor.submit(tasks.sleeps, 0.01).result() == 0.01


def test_quick_tasks_claimed_ahead_do_not_wait_behind_a_long_one_while_another_host_is_idle(server, tmp_path):
    with daemons(server.url, tmp_path, "a") as (a,), Executor(server.url) as executor, connect(server.url) as client:
        for n in range(300):  # so that the daemon knows them to be quick and claims ahead
            executor.submit(tasks.square, n).result()
        client.set("rq:suspended", 1)
        wait_for(lambda: client.exists("rq:suspended"))
        long = executor.submit(tasks.sleeps, 20)
        wait_for(lambda: client.llen("rq:queue:default") + client.llen("rq:farpool:doorbell:default") == 1)
        quick = [executor.options(timeout=n + 60).submit(tasks.square, n) for n in range(20)]  # a task each
        wait_for(lambda: client.llen("rq:queue:default") == 21)
        client.delete("rq:suspended")
        wait_for(long.running)
        with daemons(server.url, tmp_path, "b"):
            assert [future.result(10) for future in quick] == [n * n for n in range(20)]
            assert not long.done()
        long.cancel()
        assert a.process.poll() is None


def test_a_call_that_kills_its_process_is_counted_while_its_slot_is_slow_to_come_back(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "a"), Executor(server.url) as executor:
        future = executor.options(retries=5).submit(tasks.dies, str(journal))
        assert isinstance(future.exception(60), WorkerLostError)
    assert len(lines(journal)) == 6, "once, and five retries; each waits longer for its slot"
