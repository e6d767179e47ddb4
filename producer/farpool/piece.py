"""A run of consecutive calls of a map: the results of one task."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from farpool.origin import Origin, error_of
from farpool.shipment import Shipment
from farpool_common.chunk import Outcome


class Piece:
    """Collects the outcomes of `calls` calls and tells when all are here."""

    def __init__(self, calls: int, on_complete: Callable[["Piece"], None]) -> None:
        self.calls = calls
        self.is_complete = False
        self._values: list[Any] = [None] * calls
        self._errors: dict[int, BaseException] = {}
        self._missing: set[int] | None = None  # None: all or none, which is the usual case
        self._on_complete = on_complete
        self._shipment: Shipment | None = None

    def link(self, shipment: Shipment) -> None:
        """The task is about to be sent; not if it was cancelled a moment ago."""
        self._shipment = shipment
        if self.is_complete and shipment.abandon is not None:
            shipment.abandon(shipment)

    def deliver(self, outcome: Outcome, origin: Origin) -> None:
        """Keep the results of some calls."""
        if self.is_complete:
            return
        if len(outcome.values) == self.calls:
            self._values = list(outcome.values)
            self._missing = set()
        else:
            self._keep(outcome)
        for index, failure in outcome.failures.items():
            self._errors.setdefault(index, error_of(failure, origin))
        self._check()

    def _keep(self, outcome: Outcome) -> None:
        missing = self._open()
        for index, value in enumerate(outcome.values, outcome.first):
            if index in missing:
                self._values[index] = value
                missing.discard(index)

    def _open(self) -> set[int]:
        """Indexes of the calls without an outcome."""
        if self._missing is None:
            self._missing = set(range(self.calls))
        return self._missing

    def _check(self) -> None:
        if not self.is_complete and not self._open():
            self.is_complete = True
            self._on_complete(self)

    def refuse(self, index: int, error: BaseException) -> None:
        """This call cannot be sent."""
        self._errors[index] = error
        self._open().discard(index)
        self._check()

    def fail(self, error: BaseException) -> None:
        """Every call without an outcome fails."""
        if not self.is_complete:
            self._errors.update(dict.fromkeys(self._open(), error))
            self._missing = set()
            self._check()

    def cancel(self) -> None:
        """Every call without an outcome is cancelled, and the task with them."""
        if self.is_complete:
            return
        self.fail(CancelledError())
        if self._shipment is not None and self._shipment.abandon is not None:
            self._shipment.abandon(self._shipment)

    def results(self) -> Iterator[Any]:
        """The values in order; raises the first error at its place."""
        if not self._errors:
            return iter(self._values)
        return self._until_error()

    def _until_error(self) -> Iterator[Any]:
        for index, value in enumerate(self._values):
            if index in self._errors:
                raise self._errors[index]
            yield value
