"""Workers: how they are started, seen, commanded, suspended, limited and extended."""

import subprocess
import sys
from datetime import timedelta

import rq_examples as jobs
from daemons import SUPPORT, wait_for
from pool_workers import pool_worker
from rq import Callback, Queue, Worker
from rq.command import (
    send_kill_horse_command,
    send_shutdown_command,
    send_stop_execution_command,
    send_stop_job_command,
)
from rq.cron import CronScheduler
from rq.registry import FinishedJobRegistry, StartedJobRegistry
from rq.suspension import resume, suspend

from farpool_worker import PoolWorker


def running(job):
    """The job, once it runs."""
    wait_for(lambda: job.get_status() == "started")
    job.refresh()
    return job


def state(worker):
    """What Redis says of the worker now."""
    worker.refresh()
    return worker.get_state()


def statuses(*given):
    return [job.get_status() for job in given]


# --- what is seen ----------------------------------------------------------------------------------


def test_a_worker_is_listed_with_its_queues_its_state_and_what_it_has_done(other):
    queue = Queue("high", connection=other)
    with pool_worker(other.url, "-n", "my-worker", "high", "default") as worker:
        assert (worker.name, worker.queue_names(), state(worker)) == ("my-worker", ["high", "default"], "idle")
        assert [found.name for found in Worker.all(queue=queue)] == ["my-worker"]
        assert PoolWorker.find_by_key("rq:worker:my-worker", connection=other).pid == worker.process.pid
        good, bad = queue.enqueue(jobs.nap, 0.1), queue.enqueue(jobs.divide, 1, 0)
        wait_for(lambda: statuses(good, bad) == ["finished", "failed"])
        worker.refresh()
        assert (worker.successful_job_count, worker.failed_job_count) == (1, 1)
        assert 0.1 <= worker.total_working_time < 5
        assert worker.get_state() == "idle"
        assert (
            good.worker_name == Worker.find_by_key(worker.key, connection=other).name or good.get_status() == "finished"
        )


def test_running_jobs_are_seen_in_the_started_registry_and_as_executions_of_their_worker(other):
    queue = Queue(connection=other)
    with pool_worker(other.url, "default") as worker:
        napping = [running(queue.enqueue(jobs.nap, 60)) for _ in range(2)]
        assert set(StartedJobRegistry(queue=queue).get_job_ids()) == {job.id for job in napping}
        assert worker.current_execution_count == 2
        assert {found.job_id for found in worker.get_current_executions()} == {job.id for job in napping}
        assert worker.get_current_job().id in {job.id for job in napping}
        assert state(worker) == "busy"
        for job in napping:
            send_stop_job_command(other, job.id)
        wait_for(lambda: statuses(*napping) == ["stopped", "stopped"])


# --- commands --------------------------------------------------------------------------------------


def test_a_running_job_is_stopped_and_its_callback_called(queue):
    job = running(queue.enqueue(jobs.nap, 60, on_stopped=Callback(jobs.report_stopped)))
    send_stop_job_command(queue.connection, job.id)
    wait_for(lambda: job.get_status() == "stopped")
    wait_for(lambda: queue.connection.get(f"stopped:{job.id}") == b"yes")


def test_one_execution_is_stopped(queue):
    job = running(queue.enqueue(jobs.nap, 60))
    (execution,) = job.get_executions()
    send_stop_execution_command(queue.connection, job.id, execution.id)
    wait_for(lambda: job.get_status() == "stopped")


def test_killing_the_horse_fails_its_job_and_the_worker_goes_on(queue, tmp_path):
    job = queue.enqueue(jobs.says_when_it_runs, str(tmp_path / "runs"))
    wait_for((tmp_path / "runs").exists)
    job.refresh()
    send_kill_horse_command(queue.connection, job.worker_name)
    wait_for(lambda: job.get_status() == "failed")
    after = queue.enqueue(jobs.say_hello)
    wait_for(lambda: after.get_status() == "finished")


def test_a_worker_that_is_told_to_shut_down_ends_its_running_job_first(other, tmp_path):
    queue, begun = Queue(connection=other), tmp_path / "begun"
    with pool_worker(other.url, "default", slots=1) as worker:
        job = queue.enqueue(jobs.tells_and_naps, str(begun), 0.5)
        wait_for(begun.exists)  # "started" is what is claimed: a worker that stops gives back what has not begun
        waiting = queue.enqueue(jobs.say_hello)
        send_shutdown_command(other, worker.name)
        assert worker.process.wait(20) == 0
        assert statuses(job, waiting) == ["finished", "queued"]
        assert worker.shutdown_requested_date is not None
        assert worker.death_date is not None


def test_no_job_begins_while_workers_are_suspended(other):
    queue = Queue(connection=other)
    with pool_worker(other.url, "default") as worker:
        suspend(other)
        jobs_of_then = [queue.enqueue(jobs.say_hello) for _ in range(3)]
        wait_for(lambda: state(worker) == "suspended")
        assert statuses(*jobs_of_then) == ["queued"] * 3
        resume(other)
        wait_for(lambda: statuses(*jobs_of_then) == ["finished"] * 3)


# --- limits of a worker's life ---------------------------------------------------------------------


def test_work_returns_whether_it_had_any_and_leaves_the_program_as_it_was(other):
    script = f"""if True:
        import os, signal, redis, rq_examples
        from rq import Queue
        from farpool_worker import PoolWorker
        connection = redis.Redis.from_url({other.url!r})
        queue = Queue(connection=connection)
        before = dict(os.environ), signal.getsignal(signal.SIGTERM)
        options = dict(burst=True, with_scheduler=True, logging_level="ERROR")
        print(PoolWorker([queue], connection=connection).work(**options))
        queue.enqueue_in(__import__("datetime").timedelta(seconds=-1), rq_examples.say_hello)
        queue.enqueue(rq_examples.say_hello)
        print(PoolWorker(["default"], connection=connection).work(**options))
        print((dict(os.environ), signal.getsignal(signal.SIGTERM)) == before)
        print(len(queue.finished_job_registry))
    """
    run = subprocess.run([sys.executable, "-c", script], cwd=SUPPORT, capture_output=True, text=True, timeout=60)
    assert run.stdout.split() == ["False", "True", "True", "2"], run.stderr


def test_a_worker_ends_after_a_number_of_jobs_and_after_a_time_without_any(other):
    queue = Queue(connection=other)
    enqueued = [queue.enqueue(jobs.say_hello) for _ in range(20)]
    with pool_worker(other.url, "--max-jobs", "7", "default") as worker:
        assert worker.process.wait(20) == 0
    assert statuses(*enqueued).count("finished") == 7
    assert len(queue) == 13
    with pool_worker(other.url, "--max-idle-time", "1", "default") as worker:
        assert worker.process.wait(20) == 0
    assert statuses(*enqueued).count("finished") == 20


def test_queues_are_served_in_their_order(other):
    order = []
    for name in ("low", "high"):
        order += [(name, Queue(name, connection=other).enqueue(jobs.counts, "order")) for _ in range(3)]
    with pool_worker(other.url, "--burst", "high", "low", slots=1) as worker:
        worker.process.wait(20)
    ranks = sorted((job.return_value(), name) for name, job in order)
    assert [name for _, name in ranks] == ["high"] * 3 + ["low"] * 3


# --- extensions ------------------------------------------------------------------------------------


def test_exception_handlers_are_called_last_first_until_one_says_stop(other):
    queue = Queue(connection=other)
    job = queue.enqueue(jobs.divide, 1, 0)
    names = ("rq_examples.first_handler", "rq_examples.last_handler", "rq_examples.never_handler")
    words = [word for name in names for word in ("--exception-handler", name)]
    with pool_worker(other.url, "--burst", *words, "default") as worker:
        worker.process.wait(20)
    assert job.get_status() == "failed"
    assert other.lrange("handled", 0, -1) == [b"first division by zero", b"last division by zero"]


def test_custom_classes_of_jobs_queues_and_workers_are_used(other):
    queue = jobs.LoudQueue(connection=other)
    job = queue.enqueue(jobs.say_hello)
    words = ("-j", "rq_examples.LoudJob", "--queue-class", "rq_examples.LoudQueue", "--burst", "default")
    with pool_worker(other.url, *words, worker="rq_examples.CountingWorker") as worker:
        worker.process.wait(20)
    assert (job.return_value(), other.get("counted")) == ("hello nobody!", b"1")


def test_a_serializer_of_ones_own_is_used(other):
    queue = Queue(connection=other, serializer="rq_examples.Reversed")
    good, bad = queue.enqueue(jobs.say_hello, "you"), queue.enqueue(jobs.divide, 1, 0)
    with pool_worker(other.url, "-S", "rq_examples.Reversed", "--burst", "default") as worker:
        worker.process.wait(20)
    assert (good.return_value(), bad.get_status()) == ("hello you", "failed")


def test_a_job_finds_the_environment_of_its_worker(other):
    job = Queue(connection=other).enqueue(jobs.sees_redis_url)
    with pool_worker(other.url, "--burst", "default", REDIS_URL="redis://elsewhere") as worker:
        worker.process.wait(20)
    assert job.return_value() == ("redis://elsewhere", job.id)


def test_another_prefix_keeps_two_worlds_apart(other):
    script = f"""if True:
        import redis, rq_examples
        from rq import Queue
        Queue(connection=redis.Redis.from_url({other.url!r})).enqueue(rq_examples.say_hello)
    """
    worker = ["-m", "rq.cli", "worker", "-w", "farpool_worker.PoolWorker", "-u", other.url, "-b"]
    environ = {"RQ_KEY_PREFIX": "shop", "FARPOOL_SLOTS": "1", "PATH": ""}
    for words in (["-c", script], worker):
        subprocess.run([sys.executable, *words], cwd=SUPPORT, env=environ, check=True, timeout=30, capture_output=True)
    assert other.zcard("shop:finished:default") == 1
    assert other.keys("rq:*") == []


def test_cron_jobs_are_enqueued_and_run(queue):
    cron = CronScheduler(connection=queue.connection)
    cron.register(jobs.counts, queue_name="default", args=("ticks",), interval=60)
    cron.enqueue_jobs()
    wait_for(lambda: queue.connection.get("ticks") == b"1")


def test_results_are_kept_as_long_as_the_worker_is_told(other):
    queue = Queue(connection=other)
    job = queue.enqueue(jobs.say_hello)
    later = queue.enqueue_in(timedelta(hours=1), jobs.say_hello)
    with pool_worker(other.url, "--burst", "--results-ttl", "77", "default") as worker:
        worker.process.wait(20)
    assert 60 < other.ttl(job.key) <= 77
    assert (FinishedJobRegistry(queue=queue).get_job_ids(), later.get_status()) == ([job.id], "scheduled")
