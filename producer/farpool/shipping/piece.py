"""A run of consecutive calls of a map: the results of one task."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from farpool.futures.origin import Origin, error_of
from farpool.shipping.shipment import Shipment
from farpool_common.chunk import Outcome
from farpool_common.progress import TaskProgress
from farpool_common.task import Ranges, without


class Piece:
    """Collects the outcomes of `calls` calls and tells when all are here."""

    def __init__(self, calls: int, on_complete: Callable[["Piece"], None]) -> None:
        self.calls = calls
        self.is_complete = False
        self._values: list[Any] = []
        self._errors: dict[int, BaseException] = {}
        self._open: Ranges = ((0, calls),)  # the calls without an outcome
        self._on_complete = on_complete
        self._shipment: Shipment | None = None

    def link(self, shipment: Shipment) -> None:
        """The task is about to be sent; not if it was cancelled a moment ago."""
        self._shipment = shipment
        if self.is_complete:
            self._abandon()

    def deliver(self, outcome: Outcome, origin: Origin) -> None:
        """Keep the results of some calls, of each call the first."""
        first, stop = outcome.first, outcome.first + len(outcome.values)
        if (first, stop) == (0, self.calls) and self._open == ((0, self.calls),):
            self._values = list(outcome.values)
        else:
            self._keep(outcome, first, stop)
        for index, failure in outcome.failures.items():
            if self._is_open(index):
                self._errors[index] = error_of(failure, origin)
        self._settle(first, stop)
        if self.is_complete:
            self._shipment = None  # it leads here: without a circle, results are gone once they were taken

    def _keep(self, outcome: Outcome, first: int, stop: int) -> None:
        for start, end in self._open:
            low, high = max(start, first), min(end, stop)
            if low < high:
                self._results()[low:high] = outcome.values[low - first : high - first]

    def _results(self) -> list[Any]:
        if not self._values:
            self._values = [None] * self.calls
        return self._values

    def _is_open(self, index: int) -> bool:
        return any(start <= index < end for start, end in self._open)

    def _settle(self, first: int, stop: int) -> None:
        """These calls have an outcome; the last ones complete the piece."""
        if self.is_complete:
            return
        self._open = without(self._open, ((first, stop),))
        if not self._open:
            self.is_complete = True
            self._on_complete(self)

    def note(self, call: int, progress: TaskProgress) -> None:
        """A call has said how far it has come: a map has no place to show it."""

    def refuse(self, index: int, error: BaseException) -> None:
        """This call cannot be sent."""
        self._errors[index] = error
        self._settle(index, index + 1)

    def fail(self, error: BaseException) -> None:
        """Every call without an outcome fails."""
        for start, end in self._open:
            self._errors.update(dict.fromkeys(range(start, end), error))
        self._settle(0, self.calls)

    def disown(self, error: BaseException) -> None:
        """The same in a forked child, when the map's lock was made anew."""
        self.fail(error)

    def cancel(self) -> None:
        """Every call without an outcome is cancelled, and the task with them."""
        if self.is_complete:
            return
        self.fail(CancelledError())
        self._abandon()

    def _abandon(self) -> None:
        shipment, self._shipment = self._shipment, None
        if shipment is not None and shipment.abandon is not None:
            shipment.abandon(shipment)

    def error(self) -> BaseException | None:
        """The failure of the first call among those that have failed so far."""
        return self._errors[min(self._errors)] if self._errors else None

    def results(self) -> Iterator[list[Any]]:
        """The values in order, as one list that is the caller's; after those before it, the first error is raised.

        They can be taken once.
        """
        values, self._values = self._results(), []
        if not self._errors:
            yield values
            return
        first = min(self._errors)
        yield values[:first]
        raise self._errors[first]
