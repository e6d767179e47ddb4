"""Results wait in the order of their task, through outages, and are sent in few calls."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from farpool_common.broker import JobEnd, Task, Written
from farpool_common.errors import ServerUnreachableError
from farpool_worker.tasks.outbox import Outbox, Outcomes


@dataclass
class Broker:
    """Notes what it is asked for; may be away, or refuse a task."""

    is_away: bool = False
    refused: set[str] = field(default_factory=set)
    said: list[Any] = field(default_factory=list)

    def _say(self, what: str, items: Any) -> list[bool]:
        if self.is_away:
            raise ServerUnreachableError("away")
        self.said.append((what, [item.task.id for item in items]))
        return [item.task.id not in self.refused for item in items]

    def deliver(self, items: Any) -> list[bool]:
        return self._say("deliver", items)

    def finish(self, items: Any) -> list[bool]:
        return self._say("finish", items)

    def succeed(self, ends: Any) -> list[Written]:
        self._say("succeed", ends)
        return [Written.NOT_PLAIN if end.task.id == "parent" else Written.NOW for end in ends]


def task(name: str) -> Task:
    return Task(
        id=name, execution="e", queue="q", data=b"", attempt=1, abandons=0, reply="r", calls=2,
        remaining=((0, 2),), parts=(), limit=None, retries=3, label="", result_seconds=500, failure_seconds=None,
    )  # fmt: skip


def outcome(name: str, *, is_last: bool, **more: Any) -> Outcomes:
    return Outcomes(task(name), b"envelope", (0, 1), is_last, **more)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def outbox(broker: Broker) -> Outbox:
    return Outbox(broker)  # type: ignore[arg-type]


def test_what_is_ready_together_is_sent_together(outbox, broker):
    for name in "abc":
        outbox.add(outcome(name, is_last=True))
    assert outbox.flush().ended == ["a", "b", "c"]
    assert broker.said == [("finish", ["a", "b", "c"])]


def test_a_task_finishes_after_its_earlier_outcomes_were_delivered(outbox, broker):
    outbox.add(outcome("a", is_last=False))
    outbox.add(outcome("a", is_last=True))
    outbox.flush()
    assert broker.said == [("deliver", ["a"]), ("finish", ["a"])]


def test_results_stay_through_an_outage_and_are_sent_afterwards(outbox, broker):
    outbox.add(outcome("a", is_last=True))
    broker.is_away = True
    with pytest.raises(ServerUnreachableError):
        outbox.flush()
    broker.is_away = False
    assert outbox.flush().ended == ["a"]
    assert len(outbox) == 0


def test_outcomes_whose_values_are_still_being_stored_hold_up_only_their_own_task(outbox, broker):
    storing = outcome("a", is_last=False, parts=None)
    outbox.add(storing)
    outbox.add(outcome("a", is_last=True))
    outbox.add(outcome("b", is_last=True))
    assert outbox.flush().ended == ["b"]
    storing.parts = ()
    assert outbox.flush().ended == ["a"]


def test_a_refused_result_drops_what_its_task_had_still_to_say(outbox, broker):
    broker.refused.add("a")
    outbox.add(outcome("a", is_last=False))
    outbox.add(outcome("a", is_last=True))
    sent = outbox.flush()
    assert (sent.ended, sent.stale) == ([], ["a"])
    assert broker.said == [("deliver", ["a"])]


def test_jobs_of_rq_producers_end_by_their_own_script(outbox, broker):
    outbox.add(outcome("a", is_last=True))
    outbox.add(JobEnd(task("b"), datetime.now(UTC), 0.1, b"result"))
    assert sorted(outbox.flush().ended) == ["a", "b"]
    assert sorted(what for what, _ in broker.said) == ["finish", "succeed"]


def test_ends_of_plain_jobs_travel_together_and_one_that_others_depend_on_is_told_apart(outbox, broker):
    parent = JobEnd(task("parent"), datetime.now(UTC), 0.1, b"result")
    outbox.add(JobEnd(task("a"), datetime.now(UTC), 0.1, b"result"))
    outbox.add(parent)
    sent = outbox.flush()
    assert (sent.ended, sent.not_plain, broker.said) == (["a"], [parent], [("succeed", ["a", "parent"])])
