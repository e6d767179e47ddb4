"""In which stage a task is while several children have calls of it."""

import pytest

from farpool_common.task import Task
from farpool_worker.tasks.ledger import Held, Ledger, Share, Stage

CALLS = 10


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def held(ledger: Ledger) -> Held:
    """A task of ten calls, all with one child."""
    task = Task(
        id="t", execution="e", queue="q", data=b"", attempt=1, abandons=0, reply="r", calls=CALLS,
        remaining=((0, CALLS),), parts=(), limit=None, retries=3, label="m:f", result_seconds=500,
        failure_seconds=None,
    )  # fmt: skip
    found = ledger.add(task)
    ledger.sent([Share(found, found.waiting)])
    return found


def state(ledger: Ledger, held: Held) -> tuple[object, ...]:
    return held.stage, held.remaining, held.waiting, list(ledger.ready()) == [held]


def test_calls_that_were_taken_back_wait_while_the_task_counts_as_sent(ledger: Ledger, held: Held) -> None:
    ledger.again(held, ((1, CALLS),))
    assert state(ledger, held) == (Stage.SENT, ((0, 10),), ((1, 10),), True)


def test_a_part_of_them_goes_to_another_child_and_the_others_wait_on(ledger: Ledger, held: Held) -> None:
    ledger.again(held, ((1, CALLS),))
    ledger.sent([Share(held, ((1, 5),))])
    assert state(ledger, held) == (Stage.SENT, ((0, 10),), ((5, 10),), True)
    ledger.sent([Share(held, ((5, 10),))])
    assert state(ledger, held) == (Stage.SENT, ((0, 10),), (), False)


def test_when_the_long_call_has_an_outcome_the_task_only_waits(ledger: Ledger, held: Held) -> None:
    ledger.again(held, ((1, CALLS),))
    ledger.cover(held, ((0, 1),))
    assert state(ledger, held) == (Stage.READY, ((1, 10),), ((1, 10),), True)


def test_what_two_children_give_back_waits_once(ledger: Ledger, held: Held) -> None:
    ledger.again(held, ((1, CALLS),))
    ledger.sent([Share(held, ((1, CALLS),))])
    ledger.again(held, ((4, CALLS),))
    assert state(ledger, held) == (Stage.SENT, ((0, 10),), ((4, 10),), True)
    ledger.again(held, ((0, 1),))
    assert state(ledger, held) == (Stage.SENT, ((0, 10),), ((0, 1), (4, 10)), True)
    ledger.again(held, ((1, 4),))
    assert state(ledger, held) == (Stage.READY, ((0, 10),), ((0, 10),), True)


def test_a_task_whose_calls_have_all_ended_no_longer_waits(ledger: Ledger, held: Held) -> None:
    ledger.again(held, ((1, CALLS),))
    ledger.cover(held, ((0, CALLS),))
    assert state(ledger, held) == (Stage.ENDING, (), (), False)
    ledger.again(held, ((3, 4),))
    assert state(ledger, held) == (Stage.ENDING, (), (), False)


def test_a_task_that_is_over_leaves_nothing_that_waits(ledger: Ledger, held: Held) -> None:
    ledger.again(held, ((1, CALLS),))
    ledger.remove(held)
    assert not ledger.ready()
    assert len(ledger) == 0
