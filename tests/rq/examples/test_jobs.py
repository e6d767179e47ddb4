"""Enqueueing, results, meta, retries, dependencies, callbacks, schedules, repeats, limits, groups."""

from datetime import UTC, datetime, timedelta

import pytest
import rq_examples as jobs
from daemons import wait_for
from rq import Callback, Queue, Repeat, Retry
from rq.group import Group
from rq.job import Dependency, Job
from rq.rate_limit import RateLimit
from rq.registry import CanceledJobRegistry, DeferredJobRegistry, FailedJobRegistry, ScheduledJobRegistry


def result(job):
    """What the job's end says; waits for it."""
    found = job.latest_result(timeout=20)
    assert found is not None, job.get_status()
    return found


def value(job):
    found = result(job)
    assert found.type == found.Type.SUCCESSFUL, found.exc_string
    return found.return_value


def test_a_function_and_its_arguments_become_a_job_whose_result_comes_back(queue):
    assert value(queue.enqueue(jobs.count_words, "one two three")) == 3
    assert value(queue.enqueue("rq_examples.say_hello", name="you")) == "hello you"
    assert value(queue.enqueue_call(jobs.say_hello, kwargs={"name": "them"}, timeout=30)) == "hello them"


def test_a_jobs_own_options_and_those_of_its_function_are_told_apart(queue):
    job = queue.enqueue(
        jobs.say_hello, args=("x",), job_timeout=10, description="greets", job_id="my-job", result_ttl=50
    )
    assert (value(job), job.description, job.id) == ("hello x", "greets", "my-job")
    fetched = Job.fetch("my-job", connection=queue.connection)
    assert (fetched.get_status(), fetched.is_finished, 0 < queue.connection.ttl(fetched.key) <= 50) == (
        "finished",
        True,
        True,
    )


def test_many_jobs_are_enqueued_at_once(queue):
    given = [Queue.prepare_data(jobs.count_words, ("a " * n,), job_id=f"many-{n}") for n in range(20)]
    assert [value(job) for job in queue.enqueue_many(given)] == list(range(20))


def test_a_coroutine_and_a_bound_method_are_jobs_too(queue):
    assert value(queue.enqueue(jobs.count_later, "one two")) == 2
    assert value(queue.enqueue(jobs.Greeter("good day,").greet, "you")) == "good day, you"


def test_a_function_finds_its_job_and_leaves_notes_in_it(queue):
    job = queue.enqueue(jobs.add_info, meta={"by": "test"})
    assert value(job) == (job.id, "default")
    assert job.get_meta() == {"by": "test", "handled_by": "someone"}


def test_a_failure_lands_in_the_failed_registry_and_can_be_requeued(queue):
    job = queue.enqueue(jobs.divide, 1, 0)
    assert "ZeroDivisionError" in result(job).exc_string
    registry = FailedJobRegistry(queue=queue)
    assert job.id in registry
    registry.requeue(job.id)
    wait_for(lambda: len(job.results()) == 2)
    assert job.get_status() == "failed"


def test_a_job_that_takes_too_long_is_stopped_by_an_exception(queue):
    job = queue.enqueue(jobs.nap, 30, job_timeout=1)
    assert "JobTimeoutException" in result(job).exc_string


def test_a_job_runs_again_after_an_exception(queue):
    assert value(queue.enqueue(jobs.flaky, "flaky-1", retry=Retry(max=3))) == 3
    waiting = queue.enqueue(jobs.flaky, "flaky-2", retry=Retry(max=3, interval=[3600, 7200]))
    wait_for(lambda: waiting.id in ScheduledJobRegistry(queue=queue))
    assert waiting.get_status() == "scheduled"


def test_a_job_asks_to_be_run_again(queue):
    job = queue.enqueue(jobs.asks_for_more, "more")
    wait_for(lambda: job.get_status() == "finished")
    assert (job.return_value(), [str(found.type) for found in job.results()][1:]) == (
        3,
        ["Type.RETRIED", "Type.RETRIED"],
    )


def test_a_job_waits_for_those_it_depends_on(queue):
    first = queue.enqueue(jobs.nap, 0.3)
    both = [first, queue.enqueue(jobs.say_hello, "x")]
    last = queue.enqueue(jobs.say_hello, "last", depends_on=both)
    assert last.get_status() == "deferred"
    assert value(last) == "hello last"
    assert value(queue.enqueue(jobs.say_hello, "at once", depends_on=first)) == "hello at once"


def test_a_job_runs_after_a_failure_only_if_it_says_so(queue):
    failing = queue.enqueue(jobs.nap, "no number")
    strict = queue.enqueue(jobs.say_hello, depends_on=failing)
    lax = queue.enqueue(
        jobs.say_hello, "lax", depends_on=Dependency(jobs=[failing], allow_failure=True, enqueue_at_front=True)
    )
    assert value(lax) == "hello lax"
    if strict.get_status() == "deferred":  # enqueued before the failure
        assert strict.id in DeferredJobRegistry(queue=queue)


def test_callbacks_are_called_with_what_became_of_the_job(queue):
    reports = {
        "on_success": Callback(jobs.report_success),
        "on_failure": Callback("rq_examples.report_failure", timeout=10),
    }
    good, bad = queue.enqueue(jobs.divide, 6, 3, **reports), queue.enqueue(jobs.divide, 6, 0, **reports)
    assert (value(good), queue.connection.get(f"success:{good.id}")) == (2.0, b"2.0")
    assert "ZeroDivisionError" in result(bad).exc_string
    assert queue.connection.get(f"failure:{bad.id}") == b"division by zero"


def test_a_job_is_run_at_a_time_or_after_a_while(queue):
    soon = queue.enqueue_in(timedelta(seconds=1), jobs.say_hello, "later")
    past = queue.enqueue_at(datetime.now(UTC) - timedelta(minutes=1), jobs.say_hello, "late")
    far = queue.enqueue_in(timedelta(days=1), jobs.say_hello, "far")
    assert (value(soon), value(past), far.get_status()) == ("hello later", "hello late", "scheduled")
    assert far.id in ScheduledJobRegistry(queue=queue)
    far.cancel()
    assert far.id in CanceledJobRegistry(queue=queue)


def test_a_job_is_repeated(queue):
    job = queue.enqueue(jobs.counts, "repeated", repeat=Repeat(times=2, interval=0))
    wait_for(lambda: queue.connection.get("repeated") == b"3")
    wait_for(lambda: job.get_status() == "finished")
    later = queue.enqueue(jobs.counts, "repeated later", repeat=Repeat(times=1, interval=[3600]))
    wait_for(lambda: later.get_status() == "scheduled")


def test_no_more_jobs_of_a_rate_limit_run_than_it_allows(queue):
    limit = RateLimit(key="narrow", concurrency=1)
    limited = [queue.enqueue(jobs.peak, "narrow", 0.05, rate_limit=limit) for _ in range(6)]
    wait_for(lambda: all(job.get_status() == "finished" for job in limited))
    assert queue.connection.zrange("narrow:seen", 0, -1) == [b"1"]
    free = [queue.enqueue(jobs.peak, "wide", 0.2) for _ in range(4)]
    wait_for(lambda: all(job.get_status() == "finished" for job in free))
    assert queue.connection.zrange("wide:seen", 0, -1) == [b"1", b"2"]


def test_jobs_of_a_group_are_found_by_it(queue):
    group = Group.create(connection=queue.connection)
    made = group.enqueue_many(queue, [Queue.prepare_data(jobs.say_hello, (name,)) for name in ("a", "b")])
    assert [value(job) for job in made] == ["hello a", "hello b"]
    assert {job.id for job in Group.fetch(group.name, queue.connection).get_jobs()} == {job.id for job in made}


def test_a_unique_job_waits_only_once(queue):
    first = queue.enqueue_in(timedelta(hours=1), jobs.say_hello, job_id="only-one")
    with pytest.raises(Exception, match="only-one"):
        queue.enqueue(jobs.say_hello, job_id="only-one", unique=True)
    first.delete()


def test_jobs_of_json_and_of_msgpack_run_beside_those_of_pickle(connection):
    for serializer in ("json", "farpool.Serializer", None):
        assert value(Queue(connection=connection, serializer=serializer).enqueue(jobs.count_words, "one two")) == 2
