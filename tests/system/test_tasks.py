"""`@task` on real daemons: futures, jobs, retries after exceptions, unique jobs."""

import os
import pickle
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shop_tasks as shop
import telling_tasks
from daemons import daemons, lines, wait_for
from rq import Callback
from rq.job import Job

import farpool
from farpool import Executor, Retry
from farpool.executors import shut_all

SUPPORT = Path(shop.__file__).parent


@pytest.fixture
def here(host, monkeypatch):
    """Tasks go to the standing daemon."""
    monkeypatch.setenv("FARPOOL_URL", host.url)
    yield host
    shut_all()  # no thread of ours is left for the next test


def ended(job: Job, status: str = "finished") -> Job:
    wait_for(lambda: job.get_status() == status, lambda: f"it is {job.get_status()}, not {status}: {job.exc_info}")
    return job


def value(job: Job):
    return ended(job).return_value()


# --- a task is a function ---------------------------------------------------------------------------


def test_a_task_is_called_submitted_mapped_and_enqueued_by_the_same_name(here):
    assert shop.add(1, b=2) == 3
    assert shop.add.submit(1, b=2).result(30) == 3
    assert list(shop.add.map(range(5), range(5))) == [0, 2, 4, 6, 8]
    assert value(shop.add.enqueue(1, b=2)) == 3


def test_a_static_function_is_a_task_and_workers_find_it(here):
    assert shop.Report.total.submit([1, 2]).result(30) == 3
    assert value(shop.Report.total.enqueue([1, 2])) == 3


def test_a_task_travels_by_its_name(here):
    assert pickle.loads(pickle.dumps(shop.add)) is shop.add
    assert pickle.loads(pickle.dumps(shop.Report.total)) is shop.Report.total


def test_tasks_of_a_program_share_an_executor_which_ends_with_the_program(here, tmp_path):
    first, second = shop.add.submit(1), shop.Report.total.submit([1])
    assert (first.result(30), second.result(30)) == (1, 1)
    assert shop.add._submitter()._session is shop.Report.total._submitter()._session


def test_a_task_enqueues_the_next_one_where_its_own_daemon_is(here, journal):
    assert value(shop.order.enqueue(str(journal)))
    wait_for(lambda: lines(journal) == ["follow-up"])


# --- RQ's own options -------------------------------------------------------------------------------


def test_what_rq_offers_for_jobs_is_at_hand_and_no_keyword_of_the_call_is_taken(here, journal):
    first = shop.note.options(description="the first", meta={"by": "me"}, result_ttl=77).enqueue(str(journal), "first")
    second = shop.note.options(depends_on=first, on_success=Callback("stock.on_success")).enqueue(str(journal), what=2)
    assert (value(first), value(second)) == (1, 2)
    assert (first.description, first.meta, first.result_ttl) == ("the first", {"by": "me"}, 77)
    assert lines(journal) == ["first", "2"]


def test_a_job_with_an_id_on_a_queue_of_its_own_waits_there(server, client):
    on_server = shop.add.options(url=server.url, queue="other", job_id="mine", timeout=2.5)
    job = on_server.enqueue(1)
    assert (job.id, job.origin, job.timeout) == ("mine", "other", 3)
    assert client.lrange("rq:queue:other", 0, -1) == [b"mine"]
    assert on_server.queue.job_ids == ["mine"]


def test_a_pipeline_of_the_users_own_has_the_job(server, client):
    with client.pipeline() as pipeline:
        shop.add.options(url=server.url, pipeline=pipeline).enqueue(1)
        assert client.llen("rq:queue:default") == 0
        pipeline.execute()
    assert client.llen("rq:queue:default") == 1


def test_jobs_are_scheduled_by_seconds_timedeltas_and_moments(server, client):
    later = shop.add.options(url=server.url)
    moment = datetime(2100, 1, 1, tzinfo=UTC)
    jobs = [later.enqueue_in(3600, 1), later.enqueue_in(timedelta(hours=2), 1), later.enqueue_at(moment, 1)]
    scores = dict(client.zrange("rq:scheduled:default", 0, -1, withscores=True))
    assert [job.get_status() for job in jobs] == ["scheduled"] * 3
    assert scores[jobs[2].id.encode()] == moment.timestamp()
    assert round((scores[jobs[1].id.encode()] - scores[jobs[0].id.encode()]) / 3600) == 1


def test_a_scheduled_job_runs_when_its_time_has_come(server, tmp_path):
    with daemons(server.url, tmp_path, "host1", options=("-c", "1", "--with-scheduler")):
        assert value(shop.add.options(url=server.url).enqueue_at(datetime.now(), 20, b=1)) == 21


# --- retries of futures -----------------------------------------------------------------------------


def test_a_call_that_raises_runs_again_and_its_future_has_the_result(here, journal):
    future = shop.flaky.submit(str(journal), 2)
    assert future.result(30) == "ran 3 times"
    assert future.attempt == 3


def test_after_the_last_retry_the_future_fails_and_a_note_tells_of_all_attempts(here, journal):
    error = shop.flaky.submit(str(journal), 9).exception(30)
    assert isinstance(error, ConnectionRefusedError)
    assert str(error) == "run 4"
    note = error.__notes__[-1]
    assert note.startswith("attempt 4 by 3 retries; before it: ConnectionRefusedError: run 1; ")
    assert len(lines(journal)) == 4


def test_an_exception_of_another_class_is_not_retried(here, journal):
    error = shop.flaky.submit(str(journal), 9, "KeyError").exception(30)
    assert isinstance(error, KeyError)
    assert lines(journal) == ["run"]
    assert not any("retries" in note for note in error.__notes__)


def test_an_exception_whose_class_only_the_worker_knows_counts_by_its_bases(here, journal):
    view = shop.flaky.options(retries=Retry(2, backoff=0, on=OSError))
    assert isinstance(view.submit(str(journal), 1, "BrokenPipeError").result(30), str)


def test_an_executors_own_calls_are_retried_too_also_those_of_a_map(here, journal):
    with Executor(here.url) as executor:
        again = executor.options(retries=Retry(3, backoff=0.01))
        assert again.submit(shop.flaky, str(journal), 1).result(30) == "ran 2 times"
        journal.unlink()
        assert list(again.map(shop.flaky, [str(journal)], [3], chunksize="auto")) == ["ran 4 times"]


def test_an_executor_waits_for_retries_at_its_end(here, journal):
    with Executor(here.url) as executor:
        future = executor.options(retries=Retry(3, backoff=0.2, jitter=False)).submit(shop.flaky, str(journal), 2)
    assert future.done()
    assert future.result() == "ran 3 times"


def test_calls_that_wait_for_their_retry_hold_no_slot(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "host1"), Executor(server.url) as executor:
        waiting = executor.options(retries=Retry(1, backoff=3600, jitter=False, max_delay=3600))
        held = waiting.submit(shop.flaky, str(journal), 1)
        wait_for(lambda: lines(journal) == ["run"])
        assert executor.submit(shop.add, 1).result(30) == 1
        assert not held.done()
        assert held.cancel()


def test_a_retry_that_is_not_due_is_cancelled_with_the_rest(here, journal):
    executor = Executor(here.url)
    waiting = executor.options(retries=Retry(1, backoff=3600, jitter=False, max_delay=3600))
    held = waiting.submit(shop.flaky, str(journal), 1)
    wait_for(lambda: lines(journal) == ["run"])
    executor.submit(shop.add, 1).result(30)
    executor.shutdown(cancel_futures=True)
    assert held.done()
    assert lines(journal) == ["run"]


def test_a_lost_worker_is_counted_apart_from_exceptions(here, journal):
    with Executor(here.url) as executor:
        once = executor.options(retries=Retry(1, backoff=0, lost=0))
        error = once.submit(shop.dies_once, str(journal)).exception(30)
        assert isinstance(error, farpool.WorkerLostError)
        journal.unlink()
        assert shop.dies_once.submit(str(journal)).result(30) == "lived"


def test_what_a_worker_refuses_is_not_tried_again(here):
    with Executor(here.url) as executor:
        patient = executor.options(retries=Retry(5, backoff=3600, jitter=False, max_delay=3600))
        assert isinstance(patient.submit(os.getpid).exception(30), farpool.FunctionNotAllowedError)


# --- retries of jobs --------------------------------------------------------------------------------


def test_a_job_that_raises_runs_again_and_ends_well(server, tmp_path, journal):
    with daemons(server.url, tmp_path, "host1", options=("-c", "1", "--with-scheduler")):
        job = shop.flaky.options(url=server.url).enqueue(str(journal), 1)
        assert value(job) == "ran 2 times"


def test_a_job_is_not_retried_after_an_exception_of_another_class(here, journal):
    job = shop.flaky.options(retries=Retry(3, backoff=0, on=ConnectionError)).enqueue(str(journal), 9, "KeyError")
    ended(job, "failed")
    assert lines(journal) == ["run"]


def test_a_job_fails_after_its_last_retry(here, journal):
    ended(shop.flaky.options(retries=Retry(2, backoff=0, on=ConnectionError)).enqueue(str(journal), 9), "failed")
    assert lines(journal) == ["run"] * 3


def test_a_tasks_inner_call_of_itself_decides_nothing_about_its_job(here, journal):
    assert value(shop.recursive.enqueue(str(journal), 2)) == "well"


def test_exceptions_of_coroutines_are_looked_at_too(here, journal):
    ended(shop.awaited.enqueue(str(journal)), "failed")
    assert lines(journal) == ["run"] * 2


# --- unique jobs ------------------------------------------------------------------------------------


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


def test_while_a_job_waits_or_runs_the_same_work_is_the_same_job(here, journal, gate):
    first = shop.alone.enqueue(str(journal), str(gate))
    wait_for(lambda: lines(journal) == [""])
    assert shop.alone.enqueue(str(journal), gate=str(gate)).id == first.id
    assert shop.alone.enqueue_in(1000, str(journal), str(gate)).id == first.id
    other = shop.alone.enqueue(str(journal), str(gate), "other")
    assert other.id != first.id
    gate.touch()
    assert (value(first), value(other)) == ("alone", "alone")
    again = shop.alone.enqueue(str(journal), str(gate))
    assert value(again) == "alone"
    assert sorted(lines(journal)) == ["", "", "other"]


def test_what_must_not_be_the_same_is_for_the_task_to_say(server, client):
    bill = shop.bill.options(url=server.url)
    assert bill.enqueue("ann", 1).id == bill.enqueue("ann", 2).id != bill.enqueue("bob", 1).id
    named = shop.add.options(url=server.url, unique="one sum at a time")
    assert named.enqueue(1).id == named.enqueue(2).id
    assert client.llen("rq:queue:default") == 3


def test_a_unique_job_that_depends_on_another_waits_for_it_and_is_put_once(here, journal, gate):
    first = shop.alone.enqueue(str(journal), str(gate))
    view = shop.note.options(unique=True, depends_on=first)
    second = view.enqueue(str(journal), "second")
    assert second.get_status() == "deferred"
    assert view.enqueue(str(journal), "second").id == second.id
    gate.touch()
    assert value(second) == 2
    assert lines(journal) == ["", "second"]


def test_a_failed_unique_job_makes_room_and_the_next_run_may_end_well(here, journal):
    view = shop.flaky.options(unique=True, retries=0)
    failed = ended(view.enqueue(str(journal), 1), "failed")
    again = view.enqueue(str(journal), 1)
    assert again.id == failed.id
    assert value(again) == "ran 2 times"
    assert again.id not in again.failed_job_registry.get_job_ids()


def test_the_work_of_a_dead_daemon_stays_unique_until_another_has_ended_it(server, tmp_path, journal, gate):
    view = shop.alone.options(url=server.url)
    with daemons(server.url, tmp_path, "host1") as (first,):
        job = view.enqueue(str(journal), str(gate))
        wait_for(lambda: lines(journal) == [""])
        first.process.kill()
        first.process.wait()
        assert view.enqueue(str(journal), str(gate)).id == job.id
        with daemons(server.url, tmp_path, "host2"):
            wait_for(lambda: len(lines(journal)) == 2)
            assert view.enqueue(str(journal), str(gate)).id == job.id
            gate.touch()
            assert value(job) == "alone"
            assert value(view.enqueue(str(journal), str(gate))) == "alone"
    assert len(lines(journal)) == 3


def test_equal_arguments_are_the_same_work_in_whatever_order_they_stand(seed, server):
    chance, view = random.Random(seed), shop.note.options(url=server.url, unique=True)
    names = [f"name {number}" for number in range(20)]
    ids = set()
    for _ in range(5):
        chance.shuffle(names)
        ids.add(view.enqueue("journal", {"set": set(names), "dict": dict.fromkeys(names, 1)}).id)
    assert len(ids) == 1


def test_a_job_that_has_expired_leaves_room(server, client):
    view = shop.add.options(url=server.url, unique=True, ttl=100)
    first = view.enqueue(1)
    client.delete(first.key)  # as its expiry does
    assert view.enqueue(1).get_status() == "queued"
    assert client.lrange("rq:queue:default", 0, -1) == [first.id.encode()]


def test_the_result_of_an_earlier_run_is_there_while_the_next_one_waits(host, client, server):
    view = shop.add.options(unique=True, url=host.url)
    assert value(view.enqueue(20, 1)) == 21
    waiting = view.options(queue="nobody listens").enqueue(20, 1)
    assert (waiting.get_status(), waiting.return_value()) == ("queued", 21)


def test_of_producers_that_enqueue_at_once_one_puts_the_job_and_the_others_get_it(server, client, tmp_path):
    """Processes that start together, again and again."""
    program = tmp_path / "producer.py"
    program.write_text(
        "import sys, shop_tasks as shop\n"
        "view = shop.note.options(url=sys.argv[1], unique=True, ttl=1000)\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    print(view.enqueue(line.strip()).created_at.timestamp(), flush=True)\n"
    )
    command = [sys.executable, str(program), server.url]
    environ = os.environ | {"PYTHONPATH": str(SUPPORT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    producers = [subprocess.Popen(command, env=environ, **pipes) for _ in range(3)]
    try:
        assert [producer.stdout.readline() for producer in producers] == ["ready\n"] * 3
        for number in range(50):
            for producer in producers:
                producer.stdin.write(f"{number}\n")
                producer.stdin.flush()
            assert len({producer.stdout.readline() for producer in producers}) == 1, "two jobs were put"
        assert client.llen("rq:queue:default") == 50
    finally:
        for producer in producers:
            producer.stdin.close()
            producer.wait(30)
            producer.stdout.close()


def test_a_call_that_is_retried_tells_how_far_it_has_come(here):
    with Executor(here.url) as executor:
        future = executor.options(retries=Retry(1)).submit(telling_tasks.one_report, 7)
        assert future.result(30) == 7
        wait_for(lambda: future.progress is not None)
        assert (future.progress.done, future.progress.total) == (7, 100)
