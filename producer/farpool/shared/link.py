"""This process's connections to one server, and how its steps outlive an outage.  A fork gets new ones."""

import os
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from farpool.client.connect import Server
from farpool.shared.until import Until
from farpool_common.backoff import Backoff
from farpool_common.bells import Wait
from farpool_common.broker import WAITED_OUT, SharedBroker, Step
from farpool_common.errors import FarpoolError
from farpool_common.keys import Keys

T = TypeVar("T")

LARGE_BYTES = 1 << 20
"""Receipts of answers from this size on are removed at once; others go with the next step (guess)."""

RETRY_SECONDS = 1.0
"""How long a call that does not wait tries again when its connection breaks (guess: a server that restarts is back)."""

WaitOf = Callable[[list[Any]], Wait | None]
"""What to wait for after an answer; None when it is what was wanted."""


class Link:
    """Thread-safe."""

    def __init__(self, server: Server) -> None:
        self.broker = SharedBroker(server.url, Keys(server.prefix))
        self.keys, self.place = self.broker.keys, server.place
        self._receipts: deque[str] = deque()
        self._used: set[str] = set()

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any] = (), until: Until | None = None) -> list[Any]:
        """Take one step, which happens once.  Tried again after an outage, for a second or until the time is up.

        Raises ServerError.
        """
        with self._step(script, keys, args) as step:
            return self._tidied(step, _Attempts(self, step, until).run())

    def run_until(
        self, script: str, keys: Sequence[str], args: Sequence[Any], until: Until, wait_of: WaitOf
    ) -> list[Any]:
        """Take one step, again whenever it may have become possible, until the time is up; the last answer.

        Raises ServerError when the server is away then.
        """
        with self._step(script, keys, args) as step:
            attempts = _Attempts(self, step, until)
            answer = attempts.run()
            while (wait := wait_of(answer)) is not None and not until.is_over:
                answer = attempts.run_when(wait)
            return self._tidied(step, answer)

    def patiently(self, act: Callable[[], T], until: Until | None = None) -> T:
        """Do something that may be repeated: after an outage again, for a while, and on until the time is up."""
        backoff, shortly = Backoff(), Until(RETRY_SECONDS)
        while True:
            try:
                return act()
            except WAITED_OUT:
                if shortly.is_over and (until is None or until.is_over):
                    raise
                backoff.wait()

    @contextmanager
    def _step(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Iterator[Step]:
        """A step with a receipt that nobody else uses meanwhile."""
        try:
            receipt = self._receipts.pop()
        except IndexError:
            receipt = self.keys.shared("receipt", secrets.token_hex(8))
            self._used.add(receipt)
        try:
            yield Step(f"state/{script}", [*keys, receipt], secrets.token_hex(8), args)
        except BaseException:
            self._used.discard(receipt)  # a doubt may be left about it: it expires
            raise
        self._receipts.append(receipt)

    def _tidied(self, step: Step, answer: list[Any]) -> list[Any]:
        """The answer, which has arrived; if it is large, its receipt is removed."""
        if len(answer) > 1 and isinstance(answer[1], bytes) and len(answer[1]) >= LARGE_BYTES:
            with suppress(FarpoolError):  # it expires
                self.broker.unlink([step.keys[-1]])
        return answer

    def close(self) -> None:
        """Remove our receipts, and close all connections."""
        with suppress(FarpoolError):
            if self._used:
                self.broker.unlink(list(self._used))
        self.broker.close()


class _Attempts:
    """One step, sent as often as needed.  Once there was a doubt, it is always asked whether it happened before:
    also what was sent behind a wait, on a connection that broke, may be run later."""

    def __init__(self, link: Link, step: Step, until: Until | None) -> None:
        self._link, self._step, self._until = link, step, until
        self._is_in_doubt = False

    def run(self) -> list[Any]:
        """Take it now."""
        return self._link.patiently(self._run, self._until)

    def run_when(self, wait: Wait) -> list[Any]:
        """Take it when it may have become possible."""
        assert self._until is not None
        try:
            return self._link.broker.run_when(wait, self._until.left, self._step, is_again=self._is_in_doubt)
        except WAITED_OUT:
            self._is_in_doubt = True
            return self.run()

    def _run(self) -> list[Any]:
        was_in_doubt, self._is_in_doubt = self._is_in_doubt, True
        answer = self._link.broker.run(self._step, is_again=was_in_doubt)
        self._is_in_doubt = was_in_doubt
        return answer


_links: dict[tuple[str, str], Link] = {}
_lock = threading.Lock()


def link_to(server: Server) -> Link:
    """The link of this process to a server, made when it is first needed."""
    known = _links.get((server.url, server.prefix))
    if known is not None:
        return known
    with _lock:
        return _links.setdefault((server.url, server.prefix), Link(server))


def close_all() -> None:
    """At the end of the process."""
    for link in list(_links.values()):
        link.close()
    _links.clear()


def _after_fork() -> None:
    """Connections of the parent are not ours: they are left as they are, and not closed."""
    global _lock
    _lock = threading.Lock()
    _orphans.extend(_links.values())
    _links.clear()


_orphans: list[Link] = []

os.register_at_fork(after_in_child=_after_fork)
