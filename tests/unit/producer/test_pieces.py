"""How a map is cut while its results arrive."""

from itertools import chain

import functions as f
import pytest

from farpool.options import CallOptions
from farpool.origin import Origin
from farpool.pace import Pace
from farpool.pieces import Pieces
from farpool.shipment import Route, Shipment
from farpool_common.chunk import Outcome

HERE = Origin("task", "host", 1, 1)


class Map:
    """Pieces with a host that answers when told to."""

    def __init__(self, count: int, *, slots: int = 2, seconds: float | None = None, in_order: bool = True) -> None:
        self.pace = Pace()
        if seconds is not None:
            self.pace.learn(seconds, 1)
        route = Route(f.square, "functions:square", CallOptions(), None, self.pace, lambda: slots)
        self.pieces = Pieces(route, None, in_order=in_order)
        self.pieces.extend([range(count)])
        self.pieces.end()
        self.sent: list[Shipment] = []

    def send(self) -> list[int]:
        """Take all that may leave now; their sizes."""
        new = []
        while (shipment := self.pieces.take(0.0)) is not None:
            new.append(shipment)
        self.sent += new
        return [shipment.calls for shipment in new]

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


def test_pieces_grow_sixteenfold_at_most_up_to_twenty_thousand() -> None:
    run, seen = Map(10_000_000), []
    for _ in range(6):
        seen.append(max(run.send()))
        for shipment in list(run.sent):
            run.answer(shipment, 1e-8)
    assert seen == [1, 16, 256, 4096, 20_000, 20_000]


def test_pieces_last_about_fifteen_milliseconds() -> None:
    run = Map(1_000_000)
    run.send()
    for shipment in list(run.sent):
        run.answer(shipment, 0.001)
    assert set(run.send()) == {15}


def test_three_pieces_per_slot_are_on_their_way() -> None:
    assert len(Map(1_000_000, slots=4, seconds=0.001).send()) == 12


def test_pieces_shrink_towards_the_end_so_that_all_slots_end_together() -> None:
    run, seen = Map(100, slots=2, seconds=1e-6), []
    while new := run.send():
        seen += new
        for shipment in list(run.sent):
            run.answer(shipment, 1e-6)
    assert seen[0] == 16
    assert seen[-4:] == [1, 1, 1, 1]
    assert run.results() == [n * n for n in range(100)]


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
