"""Which tasks travel together, and how many are claimed ahead."""

import pytest

from farpool_common.task import Task
from farpool_worker.tasks.dispatch import ahead, batches
from farpool_worker.tasks.ledger import Held, Ledger, Share
from farpool_worker.tasks.runtimes import Runtimes


def held(name: str, label: str = "m:f", calls: int = 1) -> Held:
    task = Task(
        id=name, execution="e", queue="q", data=b"", attempt=1, abandons=0, reply="r", calls=calls,
        remaining=((0, calls),), parts=(), limit=None, retries=3, label=label, result_seconds=500,
        failure_seconds=None,
    )  # fmt: skip
    return Ledger().add(task)


def runtimes(**seconds: float) -> Runtimes:
    found = Runtimes()
    for label, value in seconds.items():
        found.note(label, 1, value)
    return found


def names(found: list[list[Share]]) -> list[list[str]]:
    return [[share.held.task.id for share in batch] for batch in found]


def test_a_function_that_was_never_measured_goes_alone():
    ready = [held("a"), held("b"), held("c")]
    assert names(batches(ready, 2, runtimes())) == [["a"], ["b"]]


def test_short_tasks_travel_together_and_are_shared_among_idle_slots():
    ready = [held(str(n), "quick") for n in range(6)]
    assert names(batches(ready, 2, runtimes(quick=1e-5))) == [["0", "1", "2"], ["3", "4", "5"]]


def test_a_batch_holds_a_few_milliseconds_of_work():
    ready = [held(str(n), "two_ms") for n in range(10)]
    assert names(batches(ready, 1, runtimes(two_ms=0.002))) == [["0", "1"]]


def test_a_long_task_never_rides_with_short_ones():
    ready = [held("a", "quick"), held("b", "slow"), held("c", "quick")]
    assert names(batches(ready, 3, runtimes(quick=1e-5, slow=2.0))) == [["a"], ["b"], ["c"]]


def test_a_call_that_lost_its_process_runs_alone():
    ready = [held("a", "quick"), held("b", "quick")]
    ready[0].losses[0] = 1
    assert names(batches(ready, 1, runtimes(quick=1e-5))) == [["a"]]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(None, 0), (1.0, 0), (0.031, 0), (0.02, 2), (0.005, 4), (0.000001, 128)]
)
def test_only_short_tasks_are_claimed_ahead(seconds, expected):
    assert ahead(seconds, slots=2) == expected


@pytest.mark.parametrize(
    ("seconds", "megabytes", "expected"),
    [
        (None, 64, 0),
        (1.0, 64, 0),  # another host may be idle, and would wait for it
        (0.05, 64, 2),  # one for each slot, fetched while the last one runs
        (0.05, 0.1, 0),
        (0.000001, 64, 2),
        (0.000001, 1, 2 * 67),
    ],
)
def test_large_arguments_are_claimed_ahead_for_tasks_of_medium_length_and_in_bounds(seconds, megabytes, expected):
    found = ahead(seconds, slots=2, argument_bytes=megabytes * 1e6)
    assert found == min(expected, 128)


def split(name: str, label: str, waiting: tuple[tuple[int, int], ...]) -> Held:
    """A task whose call 0 runs, and of whose others these were taken back."""
    found = held(name, label, calls=20)
    found.waiting, found.is_split = waiting, True
    return found


def ranges(found: list[list[Share]]) -> list[list[tuple[tuple[int, int], ...]]]:
    return [[share.ranges for share in batch] for batch in found]


@pytest.mark.parametrize("known", [{}, {"slow": 1.0}])
def test_calls_that_were_taken_back_are_shared_among_idle_slots_and_one_that_will_be(known):
    ready = [split("a", "slow", ((1, 3), (5, 12))), held("b", "slow")]
    assert ranges(batches(ready, 2, runtimes(**known))) == [[((1, 3), (5, 6))], [((6, 9),)]]


def test_the_last_of_them_all_leave_and_others_follow():
    ready = [split("a", "slow", ((18, 20),)), held("b", "slow")]
    assert names(batches(ready, 3, runtimes())) == [["a"], ["a"], ["b"]]


def test_few_calls_of_a_quick_function_are_not_shared():
    ready = [split("a", "quick", ((1, 20),)), held("b", "quick")]
    assert names(batches(ready, 1, runtimes(quick=1e-5))) == [["a", "b"]]
    assert ranges(batches(ready, 1, runtimes(quick=1e-5)))[0][0] == ((1, 20),)
