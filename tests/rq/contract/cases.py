"""Jobs of every feature of RQ, each with the ends that it can come to."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import rq_jobs
from daemons import wait_for
from hooks import Hooks
from redis import Redis
from rq import Callback, Queue, Repeat, Retry
from rq.command import send_kill_horse_command, send_stop_execution_command, send_stop_job_command
from rq.group import Group
from rq.job import Dependency, Job
from rq.rate_limit import RateLimit
from rq.webhook import Webhook

from farpool import Serializer

Enqueue = Callable[[Queue], Any]


@dataclass(frozen=True)
class Case:
    """One trace: what is enqueued, and which feature and end it shows.  `interrupt`: done to it while it runs."""

    feature: str
    end: str
    enqueue: Enqueue
    serializer: Any = None
    with_handler: bool = False
    interrupt: Callable[[Redis, str], None] | None = None

    def interrupted(self, client: Redis) -> None:
        """Do to the running job what the case is about."""
        if self.interrupt is not None:
            wait_for(lambda: client.exists("running"))  # the job says so itself
            self.interrupt(client, "job")

    @property
    def name(self) -> str:
        return f"{self.feature}: {self.end}"


SUCCESS, FAILURE = "success", "failure"


def job(function: Any, *args: Any, **options: Any) -> Enqueue:
    """Enqueue one job, with a fixed id."""
    return lambda queue: queue.enqueue(function, *args, job_id="job", **options)


def pair(feature: str, **options: Any) -> list[Case]:
    """A job with these options that returns, and one that raises."""
    return [
        Case(feature, SUCCESS, job(rq_jobs.add, 1, 2, **options)),
        Case(feature, FAILURE, job(rq_jobs.fails, **options)),
    ]


def _many(queue: Queue) -> None:
    given = [(rq_jobs.add, (1, 2), "one"), (rq_jobs.fails, (), "two"), (rq_jobs.nothing, (), "three")]
    queue.enqueue_many([Queue.prepare_data(function, args, job_id=name) for function, args, name in given])


def _at_front(queue: Queue) -> None:
    queue.enqueue(rq_jobs.add, 1, job_id="second")
    queue.enqueue(rq_jobs.add, 2, job_id="first", at_front=True)


def _dependent(first: Any, **how: Any) -> Enqueue:
    def enqueue(queue: Queue) -> None:
        parent = (
            queue.enqueue(first, job_id="parent")
            if first is rq_jobs.fails
            else queue.enqueue(first, 1, job_id="parent")
        )
        queue.enqueue(rq_jobs.add, 3, job_id="child", depends_on=Dependency([parent], **how))

    return enqueue


def _chain(queue: Queue) -> None:
    before = None
    for name in ("one", "two", "three"):
        before = queue.enqueue(rq_jobs.add, 1, job_id=name, depends_on=before)


def _two_parents(queue: Queue) -> None:
    parents = [queue.enqueue(rq_jobs.add, 1, job_id=name) for name in ("left", "right")]
    queue.enqueue(rq_jobs.add, 2, job_id="both", depends_on=parents)


def _grouped(function: Any) -> Enqueue:
    return lambda queue: Group.create(queue.connection, name="people").enqueue_many(
        queue, [Queue.prepare_data(function, job_id=name) for name in ("one", "two")]
    )


def _limited(function: Any) -> Enqueue:
    def enqueue(queue: Queue) -> None:
        for name in ("one", "two", "three"):
            queue.enqueue(function, job_id=name, rate_limit=RateLimit("tight", 1))

    return enqueue


def _unique(queue: Queue) -> None:
    queue.enqueue(rq_jobs.add, 1, job_id="job", unique=True)


def _past(queue: Queue) -> None:
    queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=5), rq_jobs.add, 1, job_id="job")


def _future(queue: Queue) -> None:
    queue.enqueue_in(timedelta(hours=1), rq_jobs.add, 1, job_id="job")


def _canceled(queue: Queue) -> None:
    queue.enqueue(rq_jobs.add, 1, job_id="job").cancel()


def _deleted(queue: Queue) -> None:
    queue.connection.delete(queue.enqueue(rq_jobs.add, 1, job_id="job").key)


def _undecodable(queue: Queue, **options: Any) -> None:
    found = queue.enqueue(rq_jobs.add, 1, job_id="job", **options)
    queue.connection.hset(found.key, "data", b"\x80\x05" + b"rubbish")


def _raw(queue: Queue) -> None:
    """Data that is not compressed: RQ's readers take it."""
    found = queue.enqueue(rq_jobs.add, 1, job_id="job")
    queue.connection.hset(found.key, "data", pickle.dumps(("rq_jobs.add", None, (1,), {})))


def _requeued(queue: Queue) -> None:
    found = Job.create(rq_jobs.add, (1,), id="job", connection=queue.connection, failure_ttl=100)
    queue.enqueue_job(found)
    queue.connection.expire(found.key, 100)


def _hooked(function: Any) -> Enqueue:
    def enqueue(queue: Queue) -> None:
        hooks = [Webhook(Hooks.url, end, method="POST") for end in ("finished", "failed")]
        queue.enqueue(function, job_id="job", webhooks=hooks)

    return enqueue


def lasting(**options: Any) -> Enqueue:
    return job(rq_jobs.lasts, **options)


def stop(client: Redis, job_id: str) -> None:
    send_stop_job_command(client, job_id)


def stop_execution(client: Redis, job_id: str) -> None:
    (execution,) = Job.fetch(job_id, client).get_executions()
    send_stop_execution_command(client, job_id, execution.id)


def kill_horse(client: Redis, job_id: str) -> None:
    send_kill_horse_command(client, Job.fetch(job_id, client).worker_name)


CASES = [
    *pair("enqueue"),
    Case("enqueue", "result None", job(rq_jobs.nothing)),
    Case("enqueue_call", SUCCESS, lambda q: q.enqueue_call(rq_jobs.add, args=(1,), kwargs={"b": 2}, job_id="job")),
    Case("enqueue_call", FAILURE, lambda q: q.enqueue_call("rq_jobs.fails", args=("x",), job_id="job")),
    Case("enqueue_many", "both", _many),
    Case("at_front", SUCCESS, _at_front),
    *pair("description", description="do it"),
    *pair("ttl", ttl=100),
    *pair("result_ttl=100", result_ttl=100),
    *pair("result_ttl=-1", result_ttl=-1),
    *pair("result_ttl=0", result_ttl=0),
    *pair("failure_ttl=100", failure_ttl=100),
    *pair("failure_ttl=-1", failure_ttl=-1),
    *pair("failure_ttl=0", failure_ttl=0),
    *pair("meta at enqueue", meta={"who": "me"}),
    Case("meta saved inside", SUCCESS, job(rq_jobs.notes_meta)),
    Case("meta saved inside", FAILURE, job(rq_jobs.notes_meta, True)),
    Case("get_current_job, changed and not saved", SUCCESS, job(rq_jobs.changes_its_job)),
    Case("get_current_job, only its id", SUCCESS, job(rq_jobs.tells_its_id)),
    Case("depends_on", SUCCESS, _dependent(rq_jobs.add)),
    Case("depends_on", FAILURE, _dependent(rq_jobs.fails)),
    Case("depends_on, allow_failure", FAILURE, _dependent(rq_jobs.fails, allow_failure=True)),
    Case("depends_on, a chain", SUCCESS, _chain),
    Case("depends_on, two parents", SUCCESS, _two_parents),
    *pair("Retry", retry=Retry(max=2)),
    *pair("Retry with an interval", retry=Retry(max=2, interval=3600)),
    *pair("Retry, then a failure that is kept 100 s", retry=Retry(max=1), failure_ttl=100),
    Case("Retry returned", "until it is too often", job(rq_jobs.asks_again, 2)),
    *pair("Repeat", repeat=Repeat(times=2, interval=0)),
    *pair("Repeat with an interval", repeat=Repeat(times=2, interval=3600)),
    *pair("callbacks", on_success=Callback(rq_jobs.on_success), on_failure=Callback(rq_jobs.on_failure)),
    *pair("stopped callback", on_stopped=Callback(rq_jobs.on_stopped)),
    Case("callback that raises", SUCCESS, job(rq_jobs.add, 1, on_success=Callback(rq_jobs.raises_in_callback))),
    Case("callback that raises", FAILURE, job(rq_jobs.fails, on_failure=Callback(rq_jobs.raises_in_callback))),
    Case("webhooks", SUCCESS, _hooked(rq_jobs.nothing)),
    Case("webhooks", FAILURE, _hooked(rq_jobs.fails)),
    Case("group", SUCCESS, _grouped(rq_jobs.nothing)),
    Case("group", FAILURE, _grouped(rq_jobs.fails)),
    Case("rate limit", SUCCESS, _limited(rq_jobs.nothing)),
    Case("rate limit", FAILURE, _limited(rq_jobs.fails)),
    Case("unique", SUCCESS, _unique),
    Case("enqueue_at, due", SUCCESS, _past),
    Case("enqueue_in, not due", SUCCESS, _future),
    Case("job_timeout", FAILURE, job(rq_jobs.naps, 30, job_timeout=1)),
    *pair("job_timeout=-1", job_timeout=-1),
    Case("coroutine", SUCCESS, job(rq_jobs.doubles, 4)),
    Case("coroutine", FAILURE, job(rq_jobs.doubles, None)),
    Case("bound method", SUCCESS, job(rq_jobs.Account(5).paid, 3)),
    Case("bound method", FAILURE, job(rq_jobs.Account(5).paid, 9)),
    Case("JSON", SUCCESS, job(rq_jobs.add, 1, 2), "json"),
    Case("JSON", FAILURE, job(rq_jobs.fails, "no"), "json"),
    Case("msgpack", SUCCESS, job(rq_jobs.add, 1, 2), Serializer),
    Case("msgpack", FAILURE, job(rq_jobs.fails, "no"), Serializer),
    Case("msgpack, meta and Retry", FAILURE, job(rq_jobs.notes_meta, True, retry=Retry(max=1)), Serializer),
    Case("data that is not compressed", SUCCESS, _raw),
    Case("a record that would expire", SUCCESS, _requeued),
    Case("a function that does not exist", FAILURE, job("rq_jobs.absent")),
    Case("a function that does not exist, Retry", FAILURE, job("rq_jobs.absent", retry=Retry(max=1))),
    Case("damaged data", FAILURE, _undecodable),
    Case("damaged data, Retry", FAILURE, lambda queue: _undecodable(queue, retry=Retry(max=1))),
    Case("a result that cannot travel", "not stored", job(rq_jobs.cannot_travel)),
    Case("canceled while it waits", "not run", _canceled),
    Case("deleted while it waits", "not run", _deleted),
    Case("stop-job", "stopped", lasting(), interrupt=stop),
    Case("stop-job", "stopped, never retried", lasting(retry=Retry(max=2)), interrupt=stop),
    Case("stop-job", "with a callback", lasting(on_stopped=Callback(rq_jobs.on_stopped)), interrupt=stop),
    Case("stop-execution", "stopped", lasting(), interrupt=stop_execution),
    Case("kill-horse", FAILURE, lasting(), interrupt=kill_horse),
    Case("kill-horse", "with Retry", lasting(retry=Retry(max=1, interval=3600)), interrupt=kill_horse),
    Case("kill-horse", "with a callback", lasting(on_failure=Callback(rq_jobs.on_failure)), interrupt=kill_horse),
    Case("exception handler", SUCCESS, job(rq_jobs.add, 1), None, True),
    Case("exception handler", FAILURE, job(rq_jobs.fails), None, True),
]  # fmt: skip
