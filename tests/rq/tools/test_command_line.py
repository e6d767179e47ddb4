"""RQ's own commands against a queue that our daemon serves."""

import subprocess
import sys

import pytest
import redis
import stock
from daemons import SUPPORT, daemons, wait_for
from rq import Queue


def rq(scene, *words: str) -> str:
    """What `rq ...` prints."""
    command = [sys.executable, "-m", "rq.cli", words[0], "-u", scene.url, *words[1:]]
    run = subprocess.run(command, cwd=SUPPORT, capture_output=True, text=True, timeout=30, check=True)
    return run.stdout + run.stderr


def test_info_shows_queues_workers_and_what_they_do(scene):
    shown = rq(scene, "info")
    assert "1 queues, 1 jobs total" in shown
    assert "1 executing, 1 finished, 1 failed" in shown
    assert "busy" in shown
    assert "1 workers, 1 queues" in shown
    assert scene.worker in rq(scene, "info", "--by-queue", "--raw")


def test_failed_jobs_are_requeued_one_by_one_or_all(scene):
    rq(scene, "requeue", "--queue", "default", "failed")
    assert scene.queue.job_ids == ["queued", "failed"]
    assert "Nothing to do" in rq(scene, "requeue", "--queue", "default", "--all")


def test_all_that_failed_runs_again(free):
    jobs = [free.queue.enqueue(stock.raises) for _ in range(3)]
    wait_for(lambda: all(job.is_failed for job in jobs))
    assert "Requeueing 3 jobs" in rq(free, "requeue", "--queue", "default", "--all")
    wait_for(lambda: all(len(job.results()) == 2 for job in jobs))


def test_a_queue_is_emptied(scene):
    assert "1 jobs removed" in rq(scene, "empty", "default")
    assert scene.queue.job_ids == []


@pytest.fixture
def free(server, tmp_path):
    """A daemon with nothing to do."""
    with daemons(server.url, tmp_path, "ours", options=("-c", "1", *stock.AS_RQ)):
        connection = redis.Redis.from_url(server.url)
        yield type("Free", (), {"url": server.url, "connection": connection, "queue": Queue(connection=connection)})
        connection.close()


def test_no_job_begins_between_suspend_and_resume(free):
    rq(free, "suspend")
    job = free.queue.enqueue(stock.quick)
    wait_for(lambda: free.connection.hget("rq:worker:ours", "state") == b"suspended")
    assert job.get_status() == "queued"
    rq(free, "resume")
    wait_for(lambda: job.is_finished)
    rq(free, "suspend", "--duration", "1")
    later = free.queue.enqueue(stock.quick)
    wait_for(lambda: later.is_finished)


def test_a_job_is_enqueued_from_the_shell(free):
    rq(free, "enqueue", "stock.add", ":3", "b:=4")
    wait_for(lambda: free.connection.zcard("rq:finished:default") == 1)
    (job_id,) = free.queue.finished_job_registry.get_job_ids()
    assert free.queue.fetch_job(job_id).return_value() == 7


def test_cron_enqueues_what_its_configuration_says(free, tmp_path):
    config = tmp_path / "schedule.py"
    config.write_text(
        "import stock\nfrom rq import cron\ncron.register(stock.quick, queue_name='default', interval=1)\n"
    )
    command = [sys.executable, "-m", "rq.cli", "cron", "-u", free.url, str(config)]
    cron = subprocess.Popen(command, cwd=SUPPORT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: free.connection.zcard("rq:finished:default") >= 2)
    finally:
        cron.terminate()
        cron.wait(20)
