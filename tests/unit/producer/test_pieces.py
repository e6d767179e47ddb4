"""How a map is cut while its results arrive."""

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import accumulate, chain, count

import functions as f
import pytest

from farpool.futures.origin import Origin
from farpool.options import CallOptions
from farpool.shipping.pace import Pace
from farpool.shipping.pieces import Pieces
from farpool.shipping.shipment import Route, Shipment
from farpool_common.chunk import Outcome
from farpool_common.failure import Failure

HERE = Origin("task", "host", 1, 1)


class Map:
    """Pieces with a host that answers when told to."""

    def __init__(self, calls: int, *, slots: int = 2, seconds: float | None = None, in_order: bool = True) -> None:
        self.pace = Pace()
        if seconds is not None:
            self.pace.learn(seconds, 1)
        route = Route(f.square, "functions:square", CallOptions(), None, self.pace, lambda: slots)
        self.pieces = Pieces(route, None, in_order=in_order)
        self.pieces.extend([range(calls)])
        self.pieces.end()
        self.sent: list[Shipment] = []

    def send(self) -> list[int]:
        """Take all that may leave now; their sizes."""
        return [shipment.calls for shipment in self.take_all(0.0)]

    def take_all(self, now: float) -> list[Shipment]:
        """The same; the tasks."""
        new = list(iter(lambda: self.pieces.take(now), None))
        self.sent += new
        return new

    def answer(self, shipment: Shipment, seconds_per_call: float = 0.0) -> None:
        """The host has run this task."""
        assert shipment.chunk is not None
        values = [args * args for (args,) in (shipment.chunk.args(i) for i in range(shipment.calls))]
        self.pace.learn(seconds_per_call * shipment.calls, shipment.calls)
        shipment.sink.deliver(Outcome(0, values, {}, 0.0, 1), HERE)
        self.pieces.in_flight.discard(shipment.id)
        self.sent.remove(shipment)

    def results(self) -> list[int]:
        found = []
        while (piece := self.pieces.next(None)) is not None:
            found += chain.from_iterable(piece.results())
        return found


def test_a_map_of_an_unknown_function_begins_with_single_calls() -> None:
    assert Map(1_000_000).send() == [1, 1, 1, 1]


def test_pieces_grow_sixteenfold_at_most_up_to_fifty_thousand() -> None:
    run, seen = Map(10_000_000), []
    for _ in range(6):
        seen.append(max(run.send()))
        for shipment in list(run.sent):
            run.answer(shipment, 1e-8)
    assert seen == [1, 16, 256, 4096, 50_000, 50_000]


def test_pieces_last_about_eight_milliseconds() -> None:
    run = Map(1_000_000)
    run.send()
    for shipment in list(run.sent):
        run.answer(shipment, 0.001)
    assert set(run.send()) == {8}


def test_three_pieces_per_slot_are_on_their_way() -> None:
    assert len(Map(1_000_000, slots=4, seconds=0.001).send()) == 12


def sizes(calls: int, seconds_per_call: float) -> list[int]:
    """The pieces of a map on two slots, in the order in which they left."""
    run, seen = Map(calls, slots=2, seconds=seconds_per_call), []
    while new := run.send():
        seen += new
        for shipment in list(run.sent):
            run.answer(shipment, seconds_per_call)
    assert run.results() == [n * n for n in range(calls)]
    return seen


def test_pieces_shrink_towards_the_end_so_that_all_slots_end_together() -> None:
    seen = sizes(1000, 0.00099)
    assert seen[0] == 8
    assert seen == sorted(seen, reverse=True)
    assert seen[-4:] == [1, 1, 1, 1]


def test_no_piece_gets_so_small_that_its_own_cost_counts() -> None:
    seen = sizes(100_000, 0.99e-6)
    assert 900 < min(seen[-8:-1]) <= max(seen[-8:-1]) < 3000


# --- on a clock that only this test winds ---------------------------------------------------------

OVERHEAD, LATENCY = 0.0003, 0.001
"""Seconds of a slot per piece, and from one side to the other."""


def seconds_of_map(costs: Sequence[float], slots: int) -> float:
    """How long a map takes whose calls take so long, on slots that take pieces in turn."""
    run, now = Map(len(costs), slots=slots), 0.0
    until = [0.0, *accumulate(costs)]
    free = [0.0] * slots
    due: list[tuple[float, int, Shipment, float]] = []
    numbers = count()
    while True:
        for shipment in run.take_all(now):
            assert shipment.chunk is not None
            assert shipment.chunk.columns is not None
            first = shipment.chunk.columns[0][0]
            seconds = until[first + shipment.calls] - until[first]
            end = max(heappop(free), now + LATENCY) + OVERHEAD + seconds
            heappush(free, end)
            heappush(due, (end + LATENCY, next(numbers), shipment, seconds))
        if not due:
            return now
        now, _, shipment, seconds = heappop(due)
        run.answer(shipment, seconds / shipment.calls)


def spread(quick: float, slow: float, every: int, number: int) -> list[float]:
    """One call of so many is slow."""
    return [slow if index % every == every // 2 else quick for index in range(number)]


@pytest.mark.parametrize("slots", [2, 16])
@pytest.mark.parametrize(
    "costs",
    [
        [0.001] * 10_000,
        [0.00001] * 200_000,
        [0.05] * 320,
        [1e-7 * (index / 100) ** 2 for index in range(20_000)],
        [1e-7 * (index / 100) ** 2 for index in reversed(range(20_000))],
        [0.3] + [0.00001] * 200_000,
        spread(0.00001, 0.02, 1000, 200_000),
        spread(0.000001, 0.1, 1000, 200_000),
    ],
    ids=["1 ms", "10 us", "50 ms", "growing", "falling", "slow first call", "few slow calls", "few very slow calls"],
)
def test_no_slot_is_left_with_much_when_the_others_are_through(costs: Sequence[float], slots: int) -> None:
    ideal = max(sum(costs) / slots, max(costs))
    assert seconds_of_map(costs, slots) < 1.15 * ideal + max(costs)


def test_results_come_in_order_whatever_arrives_first() -> None:
    run = Map(4, slots=2)
    run.send()
    for shipment in reversed(list(run.sent)):
        run.answer(shipment)
    assert run.results() == [0, 1, 4, 9]


def test_unordered_results_come_as_they_arrive() -> None:
    run = Map(4, slots=2, in_order=False)
    run.send()
    for shipment in reversed(list(run.sent)):
        run.answer(shipment)
    assert run.results() == [9, 4, 1, 0]


def test_a_piece_may_arrive_in_parts_and_parts_twice() -> None:
    run = Map(1000, slots=1, seconds=1e-6)
    run.send()
    sink = run.sent[0].sink
    for first, values in ((4, [16, 25]), (0, [0, 1, 4, 9]), (4, [0, 0]), (6, [n * n for n in range(6, 16)])):
        sink.deliver(Outcome(first, values, {}, 0.0, 1), HERE)
    piece = run.pieces.next(None)
    assert piece is not None
    assert list(*piece.results()) == [n * n for n in range(16)]


def test_waiting_ends_at_the_deadline() -> None:
    run = Map(4)
    run.send()
    with pytest.raises(TimeoutError):
        run.pieces.next(0.0)


def test_an_outcome_that_comes_again_changes_nothing_not_even_as_a_failure() -> None:
    run = Map(1, slots=1)
    run.send()
    sink = run.sent[0].sink
    failure = Failure.of(ValueError("the second time"))
    sink.deliver(Outcome(0, [49], {}, 0.0, 1), HERE)
    sink.deliver(Outcome(0, [None], {0: failure}, 0.0, 1), HERE)
    assert run.results() == [49]
