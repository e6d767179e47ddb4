"""How often and when a call that raised runs again.  Time and chance are arguments."""

import random
from typing import Any

import functions as f
import pytest
from fake_broker import FakeExecutor, FakeServer

from farpool import Retry, SettingsError
from farpool.futures.future import Future
from farpool.futures.origin import Origin
from farpool.options import CallOptions
from farpool.shipping.lane import Lane
from farpool.shipping.pace import Pace
from farpool.shipping.retrying import Retried, Retries
from farpool.shipping.shipment import Route
from farpool.tasks.job_retries import meta_of, rq_retry
from farpool_common.chunk import Outcome
from farpool_common.errors import FunctionNotFoundError
from farpool_common.failure import Failure

ORIGIN = Origin("task", "host1", 1, 42)


def failure(error: Exception) -> Failure:
    return Failure.of(error)


# --- settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"max": 0},
        {"max": True},
        {"max": 1.5},
        {"max": 1, "backoff": -1},
        {"max": 1, "backoff": float("nan")},
        {"max": 1, "factor": 0.5},
        {"max": 1, "max_delay": float("inf")},
        {"max": 1, "jitter": 1},
        {"max": 1, "on": ()},
        {"max": 1, "on": "ConnectionError"},
        {"max": 1, "on": (KeyError, int)},
        {"max": 1, "on": KeyboardInterrupt},
        {"max": 1, "lost": -1},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Retry(**settings)


def test_a_number_means_lost_workers_and_a_retry_means_exceptions_and_both() -> None:
    assert (CallOptions(retries=5).losses, CallOptions(retries=5).retry) == (5, None)
    retry = Retry(3, lost=0)
    assert (CallOptions(retries=retry).losses, CallOptions(retries=retry).retry) == (0, retry)
    assert CallOptions(retries=Retry(3)).losses == CallOptions().losses == 2


# --- delays -----------------------------------------------------------------------------------------


def test_delays_grow_by_the_factor_up_to_the_longest() -> None:
    retry = Retry(9, backoff=0.5, factor=3, jitter=False, max_delay=10)
    assert [retry.delay(number, random.Random()) for number in (1, 2, 3, 4, 500, 5000)] == [0.5, 1.5, 4.5, 10, 10, 10]


def test_with_jitter_a_delay_lies_anywhere_below(seed: int) -> None:
    chance = random.Random(seed)
    delays = [Retry(1, backoff=8.0).delay(1, chance) for _ in range(2000)]
    assert min(delays) >= 0
    assert max(delays) <= 8
    assert {int(delay) for delay in delays} == set(range(8))  # a second is left out once in 10**115


def test_rq_gets_whole_seconds() -> None:
    retry = Retry(3, backoff=1.5, factor=2, jitter=False)
    assert rq_retry(retry, random.Random()) == (3, [2, 3, 6])
    assert rq_retry(Retry(2, backoff=0), random.Random()) == (2, [0, 0])


# --- which exceptions -------------------------------------------------------------------------------


def test_classes_and_those_derived_from_them_count() -> None:
    retry = Retry(1, on=(ConnectionError, KeyError))
    assert retry.covers(failure(ConnectionRefusedError()))
    assert retry.covers(failure(KeyError()))
    assert not retry.covers(failure(OSError()))


def test_what_farpool_refuses_counts_only_by_its_own_name() -> None:
    refusal = failure(FunctionNotFoundError("no such"))
    assert not Retry(1).covers(refusal)
    assert not Retry(1, on=ImportError).covers(refusal)
    assert Retry(1, on=FunctionNotFoundError).covers(refusal)


def test_system_exit_is_not_retried() -> None:
    assert not Retry(1).covers(Failure.of(SystemExit(1)))


def test_a_job_names_its_classes_unless_any_will_do() -> None:
    assert meta_of(None) == meta_of(Retry(1)) == {}
    assert meta_of(Retry(1, on=KeyError)) == {"farpool_retry_on": ["builtins:KeyError"]}


# --- calls that wait for their retry ----------------------------------------------------------------


class Tried:
    """One call in a lane's retries, and a clock."""

    def __init__(self, retry: Retry) -> None:
        self.now = 100.0
        self.retries = Retries(retry, clock=lambda: self.now)
        self.future: Future[Any] = Future()
        self.call = (7, self.future, (1,), {})

    def sent(self) -> Retried:
        return self.retries.sink([self.call])

    def fails(self, sink: Retried, error: Exception) -> None:
        sink.deliver(Outcome(0, [None], {0: failure(error)}, 0.1, 42), ORIGIN)


def test_a_call_is_due_after_its_delay() -> None:
    tried = Tried(Retry(2, backoff=5, jitter=False))
    tried.fails(tried.sent(), KeyError("first"))
    assert tried.retries.has_waiting()
    assert tried.retries.due(104.9) == ([], 105.0)
    assert tried.retries.due(105.0) == ([tried.call], float("inf"))
    assert not tried.retries.has_waiting()


def test_an_outcome_that_comes_twice_counts_once() -> None:
    tried = Tried(Retry(5, backoff=0))
    sink = tried.sent()
    for _ in range(2):
        tried.fails(sink, KeyError("first"))
    sink.deliver(Outcome(0, ["late"], {}, 0.1, 42), ORIGIN)
    assert tried.retries.due(200.0)[0] == [tried.call]
    assert not tried.future.done()


def test_a_task_that_ends_badly_after_a_call_was_taken_back_does_not_fail_it() -> None:
    tried = Tried(Retry(5, backoff=0))
    sink = tried.sent()
    tried.fails(sink, KeyError("first"))
    sink.fail(RuntimeError("the rest of the task is lost"))
    assert not tried.future.done()


def test_a_task_that_is_lost_fails_calls_without_an_outcome_and_is_no_exception_of_theirs() -> None:
    tried = Tried(Retry(5, backoff=0))
    tried.sent().fail(RuntimeError("lost"))
    assert isinstance(tried.future.exception(0), RuntimeError)
    assert not tried.retries.has_waiting()


def test_attempts_are_counted_over_retries_and_losses_and_told() -> None:
    tried = Tried(Retry(1, backoff=0))
    sink = tried.sent()
    sink.deliver(Outcome(0, [None], {0: failure(KeyError("first"))}, 0.1, 42), Origin("task", "host1", 2, 42))
    tried.fails(tried.sent(), OSError("second"))
    error = tried.future.exception(0)
    assert error is not None
    assert error.__notes__[-1] == "attempt 3 by 1 retries; before it: KeyError: 'first'"
    assert tried.future.attempt == 3


def test_a_note_tells_of_five_attempts_at_most_and_of_a_message_its_beginning() -> None:
    tried = Tried(Retry(8, backoff=0))
    for number in range(8):
        tried.fails(tried.sent(), OSError(f"{number}" + "x" * 1000))
    tried.fails(tried.sent(), OSError("last"))
    note = tried.future.exception(0).__notes__[-1]  # type: ignore[union-attr]
    assert note.startswith("attempt 9 by 8 retries; before it: 3 more; OSError: 3xxx")
    assert len(note) < 1500


def test_a_cancelled_call_does_not_wait() -> None:
    tried = Tried(Retry(5, backoff=50))
    tried.fails(tried.sent(), KeyError())
    tried.future.cancel()
    assert not tried.retries.has_waiting()


def test_after_a_shutdown_that_cancels_what_fails_has_failed() -> None:
    tried = Tried(Retry(5, backoff=50))
    assert tried.retries.given_up() == []
    tried.fails(tried.sent(), KeyError("once"))
    assert isinstance(tried.future.exception(0), KeyError)


def test_a_lane_says_when_its_next_retry_is_due_also_while_it_holds_calls_back() -> None:
    options = CallOptions(retries=Retry(1, backoff=1000, jitter=False, max_delay=1000))
    lane = Lane(Route(f.add, "functions:add", options, None, Pace(), lambda: 1))
    lane.append((0, Future(), (1,), {}))
    shipment = lane.take(0.0)
    assert shipment is not None
    shipment.sink.deliver(Outcome(0, [None], {0: failure(KeyError())}, 0.1, 42), ORIGIN)
    assert lane.has_waiting()
    assert not lane.is_over()
    assert lane.take(0.0) is None
    assert 0 < lane.due_at < float("inf")


def test_a_lane_is_not_over_while_a_call_may_come_back() -> None:
    lane = Lane(Route(f.add, "functions:add", CallOptions(retries=Retry(1)), None, Pace(), lambda: 1))
    lane.append((0, Future(), (1,), {}))
    lane.end()
    shipment = lane.take(0.0)
    assert shipment is not None
    assert not lane.is_over()
    lane.in_flight.clear()
    assert lane.is_over()


# --- through an executor ----------------------------------------------------------------------------


def test_calls_that_fail_run_again_until_they_are_well(executor: FakeExecutor) -> None:
    again = executor.options(retries=Retry(3, backoff=0.001))
    f.FAILS.update({3: 2, 5: 1})
    futures = [again.submit(f.fails_at_first, number) for number in range(20)]
    assert [future.result(30) for future in futures] == list(range(20))
    assert [futures[number].attempt for number in (3, 5, 6)] == [3, 2, 1]


def test_a_map_under_retries_gives_its_results_in_order(executor: FakeExecutor) -> None:
    again = executor.options(retries=Retry(3, backoff=0.001))
    f.FAILS.update(dict.fromkeys(range(0, 50, 7), 1))
    assert list(again.map(f.fails_at_first, range(50), chunksize=10)) == list(range(50))


def test_retries_go_into_the_record_as_the_number_of_losses(fake: FakeServer) -> None:
    with FakeExecutor(fake) as executor:
        executor.options(retries=Retry(3, lost=7)).submit(f.nothing).result(30)
    assert [task.retries for task in fake.enqueued] == [7]
