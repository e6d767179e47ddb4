"""A long call never holds up short ones behind it: they run, on this host or another, while it lasts.

Every long call here waits for a file which the test writes when all short ones have run, so a short call that
waits for a long one would wait for ever.
"""

import os
import signal
from collections import Counter

import psutil
import pytest
import redis
import stock
import tasks
from daemons import daemons, lines, wait_for
from rq import Callback, Queue

from farpool import Executor
from farpool_common.broker import connect

CALLS = 40


@pytest.fixture
def go(tmp_path):
    """The file for which the long call waits."""
    return tmp_path / "go"


def warm(executor, journal, function=tasks.noted_or_waits):
    """From now on the function is known to be quick."""
    list(executor.map(function, [str(journal)] * 20, ["warm"] * 20))
    journal.unlink()


def calls(executor, journal, go, *, long, chunksize, function=tasks.noted_or_waits, timeout=None):
    """Calls of one function in one map; those whose number is in `long` are long.  An iterator over results."""
    paths = [str(go) if n in long else None for n in range(CALLS)]
    return executor.map(function, [str(journal)] * CALLS, range(CALLS), paths, chunksize=chunksize, timeout=timeout)


def all_have_run(journal):
    return wait_for(lambda: len(lines(journal)) >= CALLS, lambda: f"only these have begun: {lines(journal)}")


def each_ran_once(journal):
    return Counter(lines(journal)) == Counter(map(str, range(CALLS)))


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("chunksize", [1, CALLS // 2, CALLS])
def test_short_calls_of_one_function_end_while_a_long_one_lasts(executor, journal, go, chunksize, is_known):
    function = tasks.noted_or_waits if is_known else tasks.also_noted_or_waits
    if is_known:
        warm(executor, journal)
    results = calls(executor, journal, go, long={0}, chunksize=chunksize, function=function)
    all_have_run(journal)
    go.touch()
    assert list(results) == list(range(CALLS))
    assert each_ran_once(journal)


def test_short_calls_of_another_function_end_while_a_long_one_lasts(executor, journal, go):
    warm(executor, journal)
    warm(executor, journal, tasks.also_noted_or_waits)
    long = executor.submit(tasks.also_noted_or_waits, str(journal), "long", str(go))
    short = [executor.submit(tasks.noted_or_waits, str(journal), n) for n in range(CALLS)]
    assert [future.result(30) for future in short] == list(range(CALLS))
    assert not long.done()
    go.touch()
    assert long.result(30) == "long"


def test_results_of_short_calls_before_and_behind_a_long_one_arrive_while_it_lasts(executor, journal, go):
    warm(executor, journal)
    paths = [str(go) if n == 5 else None for n in range(CALLS)]
    rows = zip([str(journal)] * CALLS, range(CALLS), paths, strict=True)
    futures = [executor.submit(tasks.noted_or_waits, *row) for row in rows]
    wait_for(lambda: sum(future.done() for future in futures) >= CALLS - 1 - 5)
    assert not futures[5].done()
    go.touch()
    assert [future.result(30) for future in futures] == list(range(CALLS))
    assert each_ran_once(journal)


def test_what_waits_on_a_host_whose_only_slot_is_in_a_long_call_goes_to_another_host(server, tmp_path, journal, go):
    with daemons(server.url, tmp_path, "a"), Executor(server.url) as executor:
        warm(executor, journal)
        results = calls(executor, journal, go, long={0}, chunksize=1)
        wait_for(lambda: lines(journal) == ["0"])
        with daemons(server.url, tmp_path, "b"):
            all_have_run(journal)
            go.touch()
            assert list(results) == list(range(CALLS))
    assert each_ran_once(journal)


def test_a_host_that_is_asked_to_stop_hands_back_at_once_what_waits_behind_a_long_call(server, tmp_path, journal, go):
    with daemons(server.url, tmp_path, "a") as (a,), Executor(server.url) as executor:
        warm(executor, journal)
        results = calls(executor, journal, go, long={0}, chunksize=1)
        wait_for(lambda: lines(journal) == ["0"])
        a.terminate()
        with daemons(server.url, tmp_path, "b"):
            all_have_run(journal)
            go.touch()
            assert list(results) == list(range(CALLS))
            assert a.wait() == 0
    assert each_ran_once(journal)


def test_the_rest_of_a_chunk_waits_for_the_first_slot_that_is_idle_and_not_for_the_long_call(executor, journal, go):
    """Both slots are in long calls when the rest is taken back; the second one ends."""
    other = journal.with_name("other")
    busy = executor.submit(tasks.also_noted_or_waits, str(journal), "busy", str(other))
    wait_for(lambda: lines(journal) == ["busy"])
    results = calls(executor, journal, go, long={0}, chunksize=CALLS)
    wait_for(lambda: lines(journal) == ["busy", "0"])
    other.touch()
    assert busy.result(30) == "busy"
    wait_for(lambda: len(lines(journal)) == CALLS + 1, lambda: f"only these have begun: {lines(journal)}")
    go.touch()
    assert list(results) == list(range(CALLS))


def test_two_long_calls_in_one_chunk_hold_up_nobody(server, tmp_path, journal, go):
    with daemons(server.url, tmp_path, "a", options=("-c", "3")), Executor(server.url) as executor:
        results = calls(executor, journal, go, long={0, 7}, chunksize=CALLS)
        all_have_run(journal)
        go.touch()
        assert list(results) == list(range(CALLS))
    assert each_ran_once(journal)


def test_a_crash_in_the_long_call_costs_that_call_alone_although_others_had_its_chunk(executor, standing, journal, go):
    pid_file = journal.with_name("pid")
    results = executor.map(
        tasks.noted_or_waits_somewhere,
        *([str(journal)] * CALLS, range(CALLS), [str(go) if n == 0 else None for n in range(CALLS)]),
        [str(pid_file)] * CALLS,
        chunksize=CALLS,
    )
    all_have_run(journal)
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    wait_for(lambda: len(lines(journal)) == CALLS + 1)
    go.touch()
    assert list(results) == list(range(CALLS))
    assert Counter(lines(journal)) == Counter([*map(str, range(CALLS)), "0"])


def test_a_chunk_that_waits_behind_its_own_long_call_is_cancelled_whole(server, tmp_path, journal, go):
    with daemons(server.url, tmp_path, "a") as (a,), Executor(server.url) as executor, connect(server.url) as client:
        results = calls(executor, journal, go, long={0}, chunksize=CALLS, timeout=0.5)
        wait_for(lambda: lines(journal) == ["0"])
        before = {child.pid for child in a.children()}
        with pytest.raises(TimeoutError):
            next(results)
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in before))
        wait_for(lambda: client.zcard("rq:wip:default") == 0)
        assert executor.submit(tasks.square, 3).result(30) == 9
    assert lines(journal) == ["0"], "nothing of it ran after that"


def test_a_chunk_in_two_children_is_cancelled_in_both(server, tmp_path, journal, go):
    options = ("-c", "2")
    with (
        daemons(server.url, tmp_path, "a", options=options),
        Executor(server.url) as executor,
        connect(server.url) as client,
    ):
        results = calls(executor, journal, go, long={0, 1}, chunksize=CALLS, timeout=0.5)
        wait_for(lambda: sorted(lines(journal)) == ["0", "1"])
        with pytest.raises(TimeoutError):
            next(results)
        wait_for(lambda: client.zcard("rq:wip:default") == 0)
        assert [executor.submit(tasks.square, n).result(30) for n in range(10)] == [n * n for n in range(10)]
    assert sorted(lines(journal)) == ["0", "1"]


def test_a_long_call_over_its_limit_fails_alone(executor, journal, go):
    limited = executor.options(timeout=1.0)
    rows = ([str(journal)] * CALLS, range(CALLS), [str(go) if n == 0 else None for n in range(CALLS)])
    results = limited.map_unordered(tasks.noted_or_waits, *rows, chunksize=CALLS)
    all_have_run(journal)
    with pytest.raises(TimeoutError, match=r"limit 1 s"):
        list(results)


def test_jobs_of_rq_producers_that_wait_behind_a_long_one_run_on_another_slot(server, tmp_path, journal, go):
    options = ("-c", "2", "--allow-any", "--accept", "pickle")
    with daemons(server.url, tmp_path, "a", options=options), redis.Redis.from_url(server.url) as connection:
        queue = Queue(connection=connection)

        def enqueue(word, path=None, **rest):
            return queue.enqueue(tasks.noted_or_waits, str(journal), word, path, **rest)

        warm_up = [enqueue("warm") for _ in range(20)]
        wait_for(lambda: all(job.get_status() == "finished" for job in warm_up))
        journal.unlink()
        with connection.pipeline() as pipe:
            jobs = [
                queue.enqueue(tasks.noted_or_waits, str(journal), n, str(go) if n == 0 else None, pipeline=pipe)
                for n in range(CALLS - 1)
            ]
            on_success = Callback(stock.on_success)  # RQ's own code ends it
            jobs.append(
                queue.enqueue(tasks.noted_or_waits, str(journal), CALLS - 1, pipeline=pipe, on_success=on_success)
            )
            pipe.execute()
        wait_for(lambda: all(job.get_status() == "finished" for job in jobs[1:]))
        assert jobs[0].get_status() == "started"
        go.touch()
        wait_for(lambda: jobs[0].get_status() == "finished")
        assert [job.return_value() for job in jobs] == list(range(CALLS))
    assert each_ran_once(journal)
