"""Submitted calls that raised, until they run again."""

import heapq
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from farpool.futures.future import Future, link
from farpool.futures.origin import Origin, error_of
from farpool.retry import Retry
from farpool.shipping.shipment import Shipment
from farpool_common.chunk import Outcome
from farpool_common.failure import Failure
from farpool_common.progress import TaskProgress

Call = tuple[int, Future[Any], tuple[Any, ...], dict[str, Any]]

MOST_TOLD = 5
"""Earlier attempts that the note of an error tells of, the last ones."""

TOLD_CHARACTERS = 200
"""Of the message of each."""


@dataclass
class _Tries:
    """What a call has been through."""

    retries: int = 0
    attempts: int = 0
    errors: list[str] = field(default_factory=list)

    def note(self) -> str:
        left_out = len(self.errors) - MOST_TOLD
        told = [f"{left_out} more"] * (left_out > 0) + self.errors[-MOST_TOLD:]
        return f"attempt {self.attempts} by {self.retries} retries; before it: {'; '.join(told)}"


class Retries:
    """The calls of one lane that wait for their next attempt.  Readers add, the sender takes."""

    def __init__(
        self, retry: Retry, *, clock: Callable[[], float] = monotonic, chance: random.Random | None = None
    ) -> None:
        self._retry, self._clock, self._chance = retry, clock, chance or random.Random()
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, int, Call]] = []
        self._is_given_up = False

    def has_waiting(self) -> bool:
        """Whether a call waits that somebody still wants."""
        with self._lock:
            return any(call[1].is_wanted() for _, _, call in self._waiting)

    def due(self, now: float) -> tuple[list[Call], float]:
        """The calls whose time has come, the latest first, and when the next one is due."""
        found: list[Call] = []
        with self._lock:
            while self._waiting and self._waiting[0][0] <= now:
                found.append(heapq.heappop(self._waiting)[2])
            return found[::-1], self._waiting[0][0] if self._waiting else float("inf")

    def given_up(self) -> list[Future[Any]]:
        """The futures of what waits, which runs no more; what fails from now on has failed."""
        with self._lock:
            self._is_given_up = True
            waiting, self._waiting = self._waiting, []
        return [future for _, _, (_, future, _, _) in waiting]

    def forked(self) -> None:
        """In a forked child: a thread that is not here may hold the lock."""
        self._lock = threading.Lock()

    def sink(self, calls: Sequence[Call]) -> "Retried":
        """Where the outcomes of these calls go."""
        return Retried(self, calls)

    def takes_back(self, call: Call, failure: Failure, origin: Origin) -> bool:
        """Whether a call that failed so will run again."""
        future = call[1]
        tries = future._tries or _Tries()
        if tries.retries >= self._retry.max or not self._retry.covers(failure) or not future.is_wanted():
            return False
        with self._lock:
            if self._is_given_up:
                return False
            future._tries = tries
            tries.retries += 1
            tries.attempts += origin.attempt
            name = failure.type_name.rpartition(":")[2]
            tries.errors.append(f"{name}: {failure.message[:TOLD_CHARACTERS]}" if failure.message else name)
            due_at = self._clock() + self._retry.delay(tries.retries, self._chance)
            heapq.heappush(self._waiting, (due_at, call[0], call))
        return True

    def settle(self, future: Future[Any], value: Any, failure: Failure | None, origin: Origin) -> None:
        """The call is over, after as many attempts as it took."""
        tries, future._tries = future._tries, None
        if tries is not None:
            tries.attempts += origin.attempt
            origin = replace(origin, attempt=tries.attempts)
        error = None if failure is None else error_of(failure, origin)
        if error is not None and tries is not None:
            error.add_note(tries.note())
        future.receive(value, error, origin)


class Retried:
    """The calls of one task, of which those that fail may go back to where they came from."""

    def __init__(self, retries: Retries, calls: Sequence[Call]) -> None:
        self._retries, self._calls = retries, list(calls)
        self._open = set(range(len(calls)))  # without an outcome: what comes again for a call does not count

    def link(self, shipment: Shipment) -> None:
        """Let the futures know their task."""
        link([call[1] for call in self._calls], shipment)

    def deliver(self, outcome: Outcome, origin: Origin) -> None:
        """Settle the futures of some calls, or keep the calls for later."""
        for index, value in enumerate(outcome.values, outcome.first):
            if index not in self._open:
                continue
            self._open.discard(index)
            call, failure = self._calls[index], outcome.failures.get(index)
            if failure is None or not self._retries.takes_back(call, failure, origin):
                self._retries.settle(call[1], value, failure, origin)

    def note(self, call: int, progress: TaskProgress) -> None:
        """Let a future know how far its call has come."""
        if call in self._open:
            self._calls[call][1].note(progress)

    def refuse(self, index: int, error: BaseException) -> None:
        """This call cannot be sent."""
        self._open.discard(index)
        self._calls[index][1].receive(None, error, None)

    def fail(self, error: BaseException) -> None:
        """Fail every future whose call has no outcome."""
        while self._open:
            self._calls[self._open.pop()][1].receive(None, error, None)

    def disown(self, error: BaseException) -> None:
        """The same in a forked child."""
        for call in self._calls:
            call[1].disown(error)

    def cancel(self) -> None:
        """Cancel every future whose call has no outcome."""
        while self._open:
            self._calls[self._open.pop()][1].cancel()
