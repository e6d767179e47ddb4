"""Jobs of `@task` on RQ's own worker, which knows nothing of farpool but the serializer."""

from datetime import timedelta

import pytest
import shop_tasks as shop
from daemons import lines, wait_for
from rq.job import Job
from stock import is_listening, rq_worker

from farpool import Retry, Serializer


@pytest.fixture(scope="module", autouse=True)
def _folders(tmp_path_factory):
    """They are there before it is looked at what a test leaves."""
    tmp_path_factory.getbasetemp()


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def worker(server, client, tmp_path, monkeypatch):
    """A stock worker with its scheduler, on a server of this test."""
    monkeypatch.setenv("FARPOOL_URL", server.url)
    words = ("-S", "farpool.Serializer", "--with-scheduler", "default")
    with rq_worker(server.url, *words, log=tmp_path / "rq.log") as process:
        wait_for(lambda: is_listening(client))
        yield process


def ended(job: Job, status: str = "finished") -> Job:
    wait_for(lambda: job.get_status() == status, lambda: f"it is {job.get_status()}: {job.exc_info}", 60)
    return job


def test_rqs_worker_runs_tasks_and_keeps_their_results(worker):
    job = shop.add.enqueue(1, b=2)
    assert ended(job).return_value() == 3
    assert ended(shop.Report.total.enqueue([1, 2])).return_value() == 3


def test_anybody_who_has_the_id_and_the_serializer_finds_the_job(worker, client):
    job_id = shop.add.enqueue(1, b=2).id
    ended(job := Job.fetch(job_id, connection=client, serializer=Serializer))
    assert (job.func_name, job.args, job.kwargs, job.return_value()) == ("shop_tasks.add", (1,), {"b": 2}, 3)


def test_rqs_worker_retries_what_the_task_names_and_nothing_else(worker, journal):
    view = shop.flaky.options(retries=Retry(3, backoff=0, on=ConnectionError))
    assert ended(view.enqueue(str(journal), 2)).return_value() == "ran 3 times"
    journal.unlink()
    ended(view.enqueue(str(journal), 9, "KeyError"), "failed")
    assert lines(journal) == ["run"]


def test_rqs_scheduler_waits_between_the_retries(worker, journal):
    job = shop.flaky.options(retries=Retry(1, backoff=1, jitter=False)).enqueue(str(journal), 1)
    assert job.retry_intervals == [1]
    assert ended(job).return_value() == "ran 2 times"


def test_rqs_worker_looks_at_exceptions_of_coroutines_and_not_at_those_of_inner_calls(worker, journal, tmp_path):
    ended(shop.awaited.enqueue(str(journal)), "failed")
    assert lines(journal) == ["run"] * 2
    assert ended(shop.recursive.enqueue(str(tmp_path / "other"), 2)).return_value() == "well"


def test_rqs_scheduler_brings_a_task_when_its_time_has_come(worker):
    job = shop.add.enqueue_in(timedelta(seconds=1), 20, 1)
    assert job.get_status() == "scheduled"
    assert ended(job).return_value() == 21


def test_unique_jobs_are_freed_by_rqs_worker_as_by_ours(worker, journal, tmp_path):
    gate = tmp_path / "gate"
    first = shop.alone.enqueue(str(journal), str(gate))
    wait_for(lambda: lines(journal) == [""])
    assert shop.alone.enqueue(str(journal), str(gate)).id == first.id
    gate.touch()
    ended(first)
    assert ended(shop.alone.enqueue(str(journal), str(gate))).return_value() == "alone"
    assert len(lines(journal)) == 2
    dying = shop.dies_once.options(unique=True)
    journal.unlink()
    ended(dying.enqueue(str(journal)), "failed")
    assert ended(dying.enqueue(str(journal))).return_value() == "lived"
