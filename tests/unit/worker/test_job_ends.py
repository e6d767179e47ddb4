"""Which execution of a job a child's word is about."""

from dataclasses import replace

from farpool_common.broker import WorkerBroker
from farpool_common.task import Task
from farpool_worker.tasks.job_ends import JobEnds
from farpool_worker.tasks.ledger import Ledger, Share, Stage
from farpool_worker.tasks.outbox import Outbox

JOB = Task(
    id="t", execution="first", queue="q", data=b"", attempt=1, abandons=0, reply=None, calls=1, remaining=((0, 1),),
    parts=(), limit=None, retries=3, label="m.f", result_seconds=500, failure_seconds=None,
)  # fmt: skip


def test_what_is_said_late_of_an_execution_leaves_the_next_one_of_the_same_job_alone() -> None:
    """RQ's code has queued the job again, and it was claimed before the child could say that it was through."""
    ledger = Ledger()
    ends = JobEnds(ledger, Outbox(WorkerBroker("redis://nobody:1", "worker", [])), has_rq=True)
    first = ledger.add(JOB)
    ledger.sent([Share(first, first.waiting)])
    second = ledger.add(replace(JOB, execution="second", attempt=2))
    ends.settling("t", "first")
    ends.settled("t", "first")
    assert ledger.all() == [second]
    assert (second.stage, second.is_settling) == (Stage.READY, False)
    ends.settled("t", "second")
    assert not ledger.all()
