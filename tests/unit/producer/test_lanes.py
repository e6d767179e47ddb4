"""Which submitted calls leave when, and how many to a task.  Time is an argument."""

from typing import Any

import functions as f
import pytest

from farpool.futures.future import Future
from farpool.options import CallOptions
from farpool.shipping.lane import Lane
from farpool.shipping.pace import Pace
from farpool.shipping.shipment import Route, Shipment


def lane(*, slots: int = 2, seconds: float | None = None, calls: int = 0) -> Lane:
    pace = Pace()
    if seconds is not None:
        pace.learn(seconds, 1)
    found = Lane(Route(f.add, "functions:add", CallOptions(), None, pace, lambda: slots))
    submit(found, calls)
    return found


def submit(lane: Lane, calls: int) -> list[Future[Any]]:
    futures: list[Future[Any]] = [Future() for _ in range(calls)]
    for number, future in enumerate(futures):
        lane.append((number, future, (number,), {}))
    return futures


def taken(lane: Lane, now: float) -> list[Shipment]:
    found = []
    while (shipment := lane.take(now)) is not None:
        found.append(shipment)
    return found


def sizes(lane: Lane, now: float = 0.0) -> list[int]:
    return [shipment.calls for shipment in taken(lane, now)]


def test_an_unknown_function_is_probed_with_two_single_calls_per_slot() -> None:
    assert sizes(lane(slots=3, calls=100)) == [1] * 6


def test_calls_held_back_leave_in_doubling_numbers_when_no_measurement_comes() -> None:
    held = lane(slots=2, calls=100)
    left = [sizes(held, now) for now in (0.0, 0.049, 0.051, 0.101, 0.151, 0.201, 0.251)]
    assert [len(found) for found in left] == [4, 0, 4, 8, 16, 32, 36]
    assert {size for found in left for size in found} == {1}


def test_a_lane_that_holds_calls_back_says_until_when() -> None:
    held = lane(slots=2, calls=100)
    taken(held, 7.0)
    assert held.due_at == pytest.approx(7.05)


def test_a_lane_without_calls_is_never_due() -> None:
    empty = lane(slots=2, calls=1)
    taken(empty, 0.0)
    assert empty.due_at == float("inf")


def test_a_call_that_ends_makes_room_for_the_next_single_call() -> None:
    held = lane(slots=2, calls=100)
    first = taken(held, 0.0)
    held.in_flight.discard(first[0].id)
    assert sizes(held, 0.001) == [1]


def test_calls_of_a_slow_function_travel_alone() -> None:
    assert sizes(lane(slots=50, seconds=0.003, calls=100)) == [1] * 100


def test_calls_of_a_quick_function_are_shared_out_to_all_slots() -> None:
    assert sizes(lane(slots=2, seconds=0.00001, calls=100)) == [25] * 4


def test_a_task_takes_no_longer_than_five_milliseconds() -> None:
    assert sizes(lane(slots=1, seconds=0.0005, calls=100), 1.0)[:2] == [10, 10]


def test_a_task_has_at_most_a_thousand_calls() -> None:
    assert max(sizes(lane(slots=1, seconds=0.0, calls=10_000))) == 1000


def test_while_all_slots_have_work_calls_gather_for_a_millisecond() -> None:
    busy = lane(slots=1, seconds=0.00001, calls=2)
    assert sizes(busy, 5.0) == [1, 1]
    submit(busy, 30)
    assert (sizes(busy, 5.0005), sizes(busy, 5.001)) == ([], [30])


def test_a_full_task_does_not_wait_for_the_millisecond() -> None:
    busy = lane(slots=1, seconds=0.00001, calls=2)
    taken(busy, 5.0)
    submit(busy, 600)
    assert len(sizes(busy, 5.0001)) == 1  # the rest is no full task


def test_cancelled_calls_do_not_leave() -> None:
    waiting = lane(slots=1, seconds=0.00001)
    futures = submit(waiting, 10)
    for future in futures[2:]:
        future.cancel()
    shipped = taken(waiting, 0.0)
    assert [shipment.chunk.columns for shipment in shipped if shipment.chunk] == [[[0, 1]]]


def test_calls_with_keywords_and_of_different_lengths_travel_together() -> None:
    mixed = lane(slots=1, seconds=0.00001)
    for args, kwargs in (((1,), {}), ((1, 2), {}), ((), {"a": 3})):
        mixed.append((0, Future(), args, kwargs))
    chunks = [shipment.chunk for shipment in taken(mixed, 0.0)]
    assert [(chunk.rows, chunk.kwargs) for chunk in chunks if chunk] == [([[1], [1, 2]], {}), ([[]], {0: {"a": 3}})]
