"""A worker dies, or is held up and wakes again: what becomes of its jobs with RQ's worker, and with ours."""

import signal
import time

import stock
from daemons import daemons, lines, wait_for
from rq import Queue, Retry, SimpleWorker


def test_rq_loses_a_job_of_two_queues_when_it_is_killed_between_pop_and_start(server, queue, journal):
    job = queue.enqueue(stock.notes, str(journal))
    with stock.rq_worker(server.url, "-w", "stock.Stalls", "high", "default") as worker:
        wait_for(lambda: queue.connection.exists("popped"))
        worker.kill()
        worker.wait()
    SimpleWorker([Queue("high", connection=queue.connection), queue], connection=queue.connection).work(burst=True)
    assert (job.get_status(), queue.job_ids, lines(journal)) == ("queued", [], [])  # and so it stays, for ever


def test_ours_loses_none_of_the_jobs_that_it_had_taken_when_it_is_killed(server, queue, tmp_path, how):
    journals = [tmp_path / f"journal-{number}" for number in range(4)]
    jobs = [queue.enqueue(stock.notes, str(journal), 60, **how) for journal in journals]
    with daemons(server.url, tmp_path, "a", options=("-c", "2", *stock.AS_RQ, "high", "default")) as (a,):
        wait_for(lambda: sum(len(lines(journal)) for journal in journals) == 2)
        a.process.kill()
    (tmp_path / "journal-2").write_text("as if begun before\n")
    (tmp_path / "journal-3").write_text("as if begun before\n")
    with daemons(server.url, tmp_path, "b", options=("-c", "2", *stock.AS_RQ, "high", "default")):
        wait_for(lambda: all(job.get_status() == "finished" for job in jobs))
    assert [(len(lines(journal)), len(job.results())) for journal, job in zip(journals, jobs, strict=True)] == [
        (2, 1)
    ] * 4


def test_rq_stores_two_results_when_a_worker_was_stopped_and_goes_on(server, queue, journal):
    job = queue.enqueue(stock.notes, str(journal), 2, retry=Retry(max=1))
    with stock.rq_worker(server.url, "default") as first:
        wait_for(lambda: lines(journal))
        stock.send_all(first.pid, signal.SIGSTOP)
        (member,) = queue.connection.zrange("rq:wip:default", 0, -1)
        queue.connection.zadd("rq:wip:default", {member: time.time() - 1})  # 90 s later
        SimpleWorker([queue], connection=queue.connection).work(burst=True)
        assert job.get_status(refresh=True) == "finished"
        stock.send_all(first.pid, signal.SIGCONT)
        wait_for(lambda: len(job.results()) == 2)


def test_ours_stores_one_result_when_a_worker_was_stopped_and_goes_on(server, queue, journal, tmp_path, how):
    job = queue.enqueue(stock.notes, str(journal), 1, **how)
    with daemons(server.url, tmp_path, "a", options=("-c", "1", *stock.AS_RQ)) as (a,):
        wait_for(lambda: lines(journal))
        stock.send_all(a.pid, signal.SIGSTOP)
        with daemons(server.url, tmp_path, "b", options=("-c", "1", *stock.AS_RQ)):
            wait_for(lambda: job.get_status() == "finished")
            stock.send_all(a.pid, signal.SIGCONT)
            again = queue.enqueue(stock.notes, str(tmp_path / "another"))
            wait_for(lambda: again.get_status() == "finished")
            wait_for(lambda: "lease" in a.text() or "refused" in a.text() or "taken away" in a.text())
            assert (len(job.results()), len(lines(journal)), job.get_status()) == (1, 2, "finished")
