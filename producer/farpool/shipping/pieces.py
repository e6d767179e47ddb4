"""A map cut into pieces while its results arrive."""

import math
import threading
from collections import deque
from concurrent.futures import CancelledError
from time import monotonic

from farpool.shipping.inputs import Columns, Inputs
from farpool.shipping.pace import PIECE_SECONDS
from farpool.shipping.piece import Piece
from farpool.shipping.shipment import Route, Shipment

MOST_CALLS = 50_000
"""Calls in one piece, unless the user says how many: some 5 ms of the smallest calls, so that results are
handed over while others are computed."""

LEAST_SECONDS = 0.001
"""Run time of a piece below which cutting smaller ones would cost more than it evens out (guess)."""

GROWTH = 16
"""A piece has at most this many times the calls of the largest one that came back: one measurement of a
quick call may be wrong by as much."""

PIECES_PER_SLOT = 3
"""Pieces on their way: one runs, one waits at the host, one is on the wire."""

MOST_AHEAD = 300_000
"""Inputs read ahead of the results taken, where the user leaves it to us."""


class Pieces:
    """The source of a map's tasks and the place where its results gather.

    `size` is the number of calls in a piece; None measures: single calls first, then pieces of about
    8 ms, and smaller ones towards the end, so that all slots end together.  Pieces come out in the order
    of the inputs, or as they are completed.  More inputs may come through `extend`, until `end`.
    """

    def __init__(self, route: Route, size: int | None, *, in_order: bool = True) -> None:
        self.in_flight: set[str] = set()
        self.due_at = self.oldest = math.inf
        self.route, self._size = route, size
        self._inputs = Inputs()
        self._largest = 1
        self._in_order = in_order
        self._queue: deque[Piece] = deque()
        self._underway: set[Piece] = set()
        self._changed = threading.Condition()
        self._ended_by: BaseException | None = None  # what became of inputs that were not taken
        self._is_open = True

    # --- the sender's side

    def has_waiting(self) -> bool:
        """True while there are inputs that were not taken."""
        return len(self._inputs) > 0

    def is_over(self) -> bool:
        """True when all inputs were taken and none will be added."""
        return not self._is_open and not self.has_waiting()

    def take(self, now: float) -> Shipment | None:
        """The next piece, unless enough are on their way."""
        with self._changed:
            left = len(self._inputs)
            if not left or not self._has_room():
                return None
            count = min(left, self._size or self._measured_size(left))
            piece = Piece(count, self._completed)
            self._underway.add(piece)
            if self._in_order:
                self._queue.append(piece)
            chunk = self.route.chunk(columns=self._inputs.take(count), together=True)
        shipment = Shipment(self.route, chunk, piece, self)
        self.in_flight.add(shipment.id)
        return shipment

    def _has_room(self) -> bool:
        if self._size is not None:
            return True
        per_slot = 2 if self.route.pace.seconds is None else PIECES_PER_SLOT
        return len(self.in_flight) < per_slot * self.route.slots()

    def _measured_size(self, left: int) -> int:
        least = self._calls_within(LEAST_SECONDS)
        share = math.ceil(left / (2 * self.route.slots()))
        return min(self._calls_within(PIECE_SECONDS), max(share, least))

    def _calls_within(self, seconds: float) -> int:
        """How many calls take so long, as far as that is known."""
        found = self.route.pace.calls_within(seconds, MOST_CALLS)
        return 1 if found is None else min(found, self._largest * GROWTH)

    # --- the listener's side

    def _completed(self, piece: Piece) -> None:
        with self._changed:
            self._largest = max(self._largest, piece.calls)
            self._underway.discard(piece)
            if not self._in_order:
                self._queue.append(piece)
            self._changed.notify_all()

    # --- the consumer's side

    def extend(self, columns: Columns) -> int:
        """Add inputs; returns how many."""
        with self._changed:
            return self._inputs.add(columns)

    def calls_ahead(self) -> int:
        """How many calls keep all slots busy for a while, from what was measured so far."""
        size = self._size or self._calls_within(PIECE_SECONDS)
        return min(2 * PIECES_PER_SLOT * size * self.route.slots(), MOST_AHEAD)

    def end(self) -> None:
        """No more inputs will come."""
        self._is_open = False

    def next(self, deadline: float | None) -> Piece | None:
        """The next completed piece; None at the end.  Raises TimeoutError, CancelledError, or what it failed with."""
        with self._changed:
            while not self._has_next():
                if not (self._queue or self._underway or self._inputs):
                    return None
                if not self._changed.wait(None if deadline is None else max(0.0, deadline - monotonic())):
                    raise TimeoutError("the results of this map did not come in time")
            return self._queue.popleft()

    def _has_next(self) -> bool:
        if self._queue and self._queue[0].is_complete:
            return True
        if self._ended_by is not None and not self._queue:
            raise self._ended_by
        return False

    def cancel(self) -> None:
        """Cancel every call without an outcome, sent or not."""
        with self._changed:
            self._give_up(CancelledError())
            pieces = list(self._underway)
        for piece in pieces:
            piece.cancel()

    def fail(self, error: BaseException) -> None:
        """Have what was not taken fail."""
        with self._changed:
            self._give_up(error)

    def disown(self, error: BaseException) -> None:
        """The same in a forked child, and the lock made anew."""
        self._changed = threading.Condition()
        self.fail(error)

    def _give_up(self, error: BaseException) -> None:
        if self.has_waiting() and self._ended_by is None:
            self._ended_by = error
        self._is_open = False
        self._inputs.clear()
        self._changed.notify_all()
