"""Jobs of RQ producers on our daemon: what it accepts, what it refuses, and what it does beside RQ's own worker."""

import time
from datetime import timedelta

import pytest
import redis
import stock
from daemons import Daemon, daemons, lines, wait_for
from rq import Callback, Queue, Retry
from rq.job import Job

from farpool import Executor, Serializer


@pytest.fixture
def connection(server):
    with redis.Redis.from_url(server.url) as found:
        yield found


@pytest.fixture
def queue(connection):
    return Queue(connection=connection)


@pytest.fixture
def serving(server, tmp_path):
    """Starts a daemon with these options."""

    def start(*options, slots=1, **environ):
        return daemons(server.url, tmp_path, "ours", options=("-c", str(slots), *options), **environ)

    return start


def failure(job):
    wait_for(lambda: job.get_status() == "failed")
    return job.latest_result().exc_string


# --- formats ---------------------------------------------------------------------------------------


def test_a_refused_format_fails_the_job_untouched_and_it_runs_when_requeued_to_a_worker_that_accepts_it(
    queue, connection, serving
):
    jobs = [
        queue.enqueue(stock.quick),
        queue.enqueue(stock.quick, on_success=Callback(stock.on_success), retry=Retry(max=3)),
    ]
    before = [connection.hget(job.key, "data") for job in jobs]
    with serving("--allow-any"):
        for job in jobs:
            assert "written with pickle by a producer of queue default; this worker accepts msgpack only" in failure(
                job
            )
        assert [connection.hget(job.key, "data") for job in jobs] == before
        json_job = Queue(connection=connection, serializer="json").enqueue(stock.quick)
        assert "written with JSON" in failure(json_job)
    assert connection.get("callbacks") is None
    for job in jobs:
        queue.failed_job_registry.requeue(job.id)
    with serving(*stock.AS_RQ):
        wait_for(lambda: [job.get_status() for job in jobs] == ["finished", "finished"])
    assert connection.get("callbacks") == b"1"


def test_a_daemon_tells_what_it_accepts(connection, serving):
    with serving("--accept", "pickle,msgpack"):
        assert connection.hget("rq:farpool:host:ours", "accept") == b"msgpack,pickle"


def test_with_a_version_of_rq_that_was_not_compared_rqs_code_runs_every_job(queue, connection, serving, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib import metadata\nreal = metadata.version\n"
        "metadata.version = lambda name: '3.9.0' if name == 'rq' else real(name)\n"
    )
    jobs = {}
    for name, environ in (("compared", {}), ("not compared", {"PYTHONPATH": str(tmp_path)})):
        with serving(*stock.AS_RQ, **environ) as (daemon,):
            jobs[name] = queue.enqueue(stock.quick)
            wait_for(lambda name=name: jobs[name].get_status() == "finished")
            assert ("rq 3.9.0 is not a version that farpool was compared with" in daemon.text()) == bool(environ)
    ended_by_script = {name: connection.hexists(job.key, "farpool_execution") for name, job in jobs.items()}
    assert ended_by_script == {"compared": True, "not compared": False}


# --- what may run ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"on_success": Callback("os.getcwd")},
        {"on_failure": Callback("os.getcwd"), "retry": Retry(max=2)},
        {"on_stopped": Callback("os.getcwd"), "on_success": Callback(stock.on_success)},
    ],
)
def test_a_callback_that_is_not_allowed_fails_the_job_before_it_runs(connection, serving, journal, options):
    queue = Queue(connection=connection, serializer=Serializer)
    job = queue.enqueue(stock.notes, str(journal), **options)
    with serving():
        assert "os.getcwd may not run here" in failure(job)
    assert lines(journal) == []


def test_without_rqs_own_code_plain_jobs_run_and_others_say_what_they_need(connection, serving):
    queue = Queue(connection=connection, serializer=Serializer)
    plain, with_callback = queue.enqueue(stock.quick), queue.enqueue(stock.quick, on_success=Callback(stock.on_success))
    failing = queue.enqueue(stock.raises, retry=Retry(max=2))
    with serving("--no-rq-jobs"):
        wait_for(lambda: plain.get_status() == "finished")
        assert "--no-rq-jobs" in failure(with_callback)
        assert "no luck" in failure(failing)


def test_modules_are_loaded_and_functions_called_before_the_first_job(queue, serving, tmp_path):
    job = queue.enqueue("django_shop.work.count_models")
    with serving(*stock.AS_RQ, "--preload", "django:setup", DJANGO_SETTINGS_MODULE="django_shop.settings"):
        wait_for(lambda: job.get_status() == "finished")


def test_a_preload_that_fails_says_so_and_ends_the_daemon_with_70(server, tmp_path):
    daemon = Daemon(server.url, "ours", tmp_path / "log", "-c", "1", "--preload", "absent_module")
    assert daemon.wait() == 70
    assert "absent_module" in daemon.text()


def test_a_daemon_whose_slots_start_slowly_serves_what_waits_before_it_counts_as_idle(server, queue, tmp_path):
    (tmp_path / "slow_module.py").write_text("import time\ntime.sleep(1.5)\n")
    job = queue.enqueue(stock.quick)
    options = ("-c", "1", *stock.AS_RQ, "--max-idle-time", "0.5", "--preload", "slow_module")
    daemon = Daemon(server.url, "ours", tmp_path / "log", *options, PYTHONPATH=str(tmp_path))
    assert daemon.wait() == 0
    assert job.get_status() == "finished"


# --- beside RQ's own worker --------------------------------------------------------------------------


def test_a_stock_worker_and_a_daemon_on_one_queue_lose_nothing_and_run_nothing_twice(server, queue, serving, tmp_path):
    jobs = [queue.enqueue(stock.tells, str(tmp_path / "journal"), number, 0.01) for number in range(150)]
    with stock.rq_worker(server.url, "default"), serving(*stock.AS_RQ):
        wait_for(lambda: all(job.get_status() == "finished" for job in jobs))
    told = [line.split() for line in lines(tmp_path / "journal")]
    assert sorted(int(number) for number, _ in told) == list(range(150))
    assert len({job.worker_name for job in Job.fetch_many([job.id for job in jobs], queue.connection)}) == 2
    assert [len(job.results()) for job in jobs] == [1] * 150


def test_executors_tasks_and_jobs_of_rq_share_a_daemon(server, queue, serving):
    jobs = [queue.enqueue(stock.add, number, 1) for number in range(20)]
    with serving(*stock.AS_RQ), Executor(server.url) as executor:
        assert list(executor.map(stock.add, range(20), range(20))) == [2 * n for n in range(20)]
        wait_for(lambda: [job.return_value() for job in jobs] == list(range(1, 21)))


def test_what_a_dead_stock_worker_had_taken_and_not_begun_is_queued_again(queue, connection, serving):
    job = queue.enqueue(stock.quick)
    connection.lmove("rq:queue:default", "rq:queue:default:intermediate", "LEFT", "RIGHT")
    name = "rq:queue:default:intermediate " + job.id
    past = (time.time() - 61) * 1000  # it was first seen a minute ago, and at the last look
    connection.zadd("rq:farpool:strays", {name: past, f"@{name}": time.time() * 1000})
    with serving(*stock.AS_RQ):
        wait_for(lambda: job.get_status() == "finished")


def test_what_a_dead_stock_worker_was_running_is_looked_after_by_rqs_own_maintenance(server, queue, serving, journal):
    job = queue.enqueue(stock.notes, str(journal), 60, retry=Retry(max=1))
    with stock.rq_worker(server.url, "default") as worker:
        wait_for(lambda: lines(journal))
        for process in stock.tree(worker.pid):
            process.kill()
    (member,) = queue.connection.zrange("rq:wip:default", 0, -1)
    queue.connection.zadd("rq:wip:default", {member: time.time() - 1})
    with serving(*stock.AS_RQ):
        wait_for(lambda: job.get_status() == "finished")
    assert (len(lines(journal)), job.get_status()) == (2, "finished")


def test_a_burst_runs_what_maintenance_finds(server, queue, journal, tmp_path):
    job = queue.enqueue(stock.notes, str(journal), 60, retry=Retry(max=1))
    with stock.rq_worker(server.url, "default"):
        wait_for(lambda: lines(journal))
    (member,) = queue.connection.zrange("rq:wip:default", 0, -1)
    queue.connection.zadd("rq:wip:default", {member: time.time() - 1})
    daemon = Daemon(server.url, "ours", tmp_path / "log", "-c", "1", "--burst", *stock.AS_RQ)
    assert daemon.wait() == 0
    assert job.get_status() == "finished"


def test_a_failed_job_is_told_in_the_log(queue, serving):
    job = queue.enqueue(stock.raises)
    with serving(*stock.AS_RQ) as (daemon,):
        wait_for(lambda: job.get_status() == "failed")
        assert f"job {job.id} (stock.raises) failed: ValueError: no luck" in daemon.text()


def test_maintenance_comes_again_after_its_interval(queue, connection, serving):
    with serving(*stock.AS_RQ, "--maintenance-interval", "1"):
        job = queue.enqueue(stock.quick, result_ttl=500)
        wait_for(lambda: job.get_status() == "finished")
        connection.zadd("rq:finished:default", {job.id: time.time() - 1})
        wait_for(lambda: connection.zcard("rq:finished:default") == 0)


@pytest.mark.parametrize("end", ["cancel", "delete"])
@pytest.mark.parametrize("options", [{}, {"on_success": Callback(stock.on_success)}])
def test_a_job_that_is_canceled_or_deleted_while_it_runs_is_stopped_and_stays_so(
    queue, connection, serving, end, options
):
    job = queue.enqueue(stock.lasts, **options)
    with serving(*stock.AS_RQ):
        wait_for(lambda: job.get_status() == "started")
        getattr(job, end)()
        after = queue.enqueue(stock.quick)  # the only slot is free again
        wait_for(lambda: after.get_status() == "finished")
        time.sleep(0.5)
        assert connection.hget(job.key, "status") == (b"canceled" if end == "cancel" else None)
    if end == "delete":
        connection.delete("rq:farpool:counters")  # RQ's delete tells the books nothing


# --- the scheduler ---------------------------------------------------------------------------------


def test_another_daemon_goes_on_scheduling_when_the_one_that_did_was_killed(server, queue, tmp_path):
    options = ("-c", "1", *stock.AS_RQ, "--with-scheduler")
    with daemons(server.url, tmp_path, "a", options=options) as (first,):
        wait_for(lambda: queue.connection.get("rq:scheduler-lock:default"))
        first.process.kill()
        first.wait()
    job = queue.enqueue_in(timedelta(seconds=0), stock.quick)
    with daemons(server.url, tmp_path, "b", options=options):
        wait_for(lambda: len(list(queue.connection.scan_iter("rq:scheduler:*"))) == 2)
        time.sleep(1)  # it has found the lock held
        queue.connection.expire("rq:scheduler-lock:default", 1)  # 61 s
        wait_for(lambda: job.get_status() == "finished")
