"""Calls of one function that are known at once: they travel as few tasks, and their results come as one list."""

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

from farpool.futures.origin import Origin
from farpool.shipping.lane import chunk_of
from farpool.shipping.piece import Piece
from farpool.shipping.pieces import MOST_CALLS
from farpool.shipping.shipment import Route, Shipment
from farpool_common.chunk import Outcome

BUNDLE_SECONDS = 0.05
"""Run time of a task of a bundle: a few of them make a batch of joblib's, which takes 0.2 s or more."""


class Bundle:
    """A source of tasks, each of some milliseconds as far as the function is known, and the place where their results
    gather.  The first failure ends it, and cancels the rest."""

    def __init__(
        self,
        route: Route,
        rows: Sequence[tuple[Any, ...]],
        keywords: Sequence[dict[str, Any]],
        on_over: "Callable[[Bundle], None]",
    ) -> None:
        """`on_over` is called once, in whichever thread brings the end."""
        self.route, self._on_over = route, on_over
        self.in_flight: set[str] = set()
        self.due_at = self.oldest = math.inf
        self.error: BaseException | None = None
        self._rows, self._keywords = rows, keywords
        self._lock = threading.Lock()
        self._parts: list[_Part] = []
        self._taken, self._open, self._is_ended = 0, len(rows), False

    def values(self) -> list[Any]:
        """The results in order, for `on_over` to take if there is no error."""
        return [value for part in self._parts for values in part.results() for value in values]

    # --- the sender's side

    def has_waiting(self) -> bool:
        """True while there are calls that were not taken."""
        return not self._is_ended and self._taken < len(self._rows)

    def is_over(self) -> bool:
        """True when all calls were taken."""
        return not self.has_waiting()

    def take(self, now: float) -> Shipment | None:
        """The next task."""
        with self._lock:
            if not self.has_waiting():
                return None
            size = self.route.pace.calls_within(BUNDLE_SECONDS, MOST_CALLS) or MOST_CALLS
            start, stop = self._taken, min(self._taken + size, len(self._rows))
            self._taken = stop
            part = _Part(stop - start, self._look)
            self._parts.append(part)
            chunk = chunk_of(self.route, self._rows[start:stop], self._keywords[start:stop], together=True)
        shipment = Shipment(self.route, chunk, part, self)
        self.in_flight.add(shipment.id)
        return shipment

    # --- its end

    def cancel(self) -> None:
        """Nobody wants the results: what waits is not run, and what runs is stopped."""
        self._end(CancelledError())

    def fail(self, error: BaseException) -> None:
        """No call is run any more."""
        self._end(error)

    def disown(self, error: BaseException) -> None:
        """In a forked child: the calls are the parent's, as is who waits for them."""
        self._lock = threading.Lock()
        self._is_ended, self.error = True, error

    def _look(self, part: "_Part") -> None:
        """Something became of calls of this task."""
        error = part.error()
        if error is not None:
            self._end(error)
        elif part.is_complete:
            with self._lock:
                self._open -= part.calls
                is_last = not self._open
            if is_last:
                self._end(None)

    def _end(self, error: BaseException | None) -> None:
        with self._lock:
            if self._is_ended:
                return
            self._is_ended, self.error = True, error
            self._rows, self._keywords = (), ()
            parts = list(self._parts) if error is not None else []
        for part in parts:
            part.cancel()
        on_over, self._on_over = self._on_over, _nobody
        on_over(self)
        self._parts = []  # it and its parts know each other: without a circle, results are gone once they were taken


def _nobody(_: Bundle) -> None:
    """Who is told once it was told."""


class _Part(Piece):
    """One task's results; tells of every change."""

    def __init__(self, calls: int, on_change: "Callable[[_Part], None]") -> None:
        super().__init__(calls, lambda _: None)
        self._on_change = on_change

    def deliver(self, outcome: Outcome, origin: Origin) -> None:
        """Keep the results of some calls."""
        super().deliver(outcome, origin)
        self._on_change(self)

    def refuse(self, index: int, error: BaseException) -> None:
        """This call cannot be sent."""
        super().refuse(index, error)
        self._on_change(self)

    def fail(self, error: BaseException) -> None:
        """Every call without an outcome fails."""
        super().fail(error)
        self._on_change(self)

    def disown(self, error: BaseException) -> None:
        """The same in a forked child, where nobody is to be told."""
        super().fail(error)
