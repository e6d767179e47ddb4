"""What tasks have said, until the server has it.

It goes five times a second, and before any outcome, so that the last word of a call is there before its result.
While the server cannot be reached it waits here, within a bound; nothing that tasks say is worth an error.
"""

import time
from contextlib import suppress

from farpool_common.broker import Saying, Task, WorkerBroker
from farpool_common.errors import LoginRefusedError, ServerError, ServerUnreachableError
from farpool_common.progress import TaskProgress
from farpool_worker.log import log
from farpool_worker.tasks.ledger import Ledger

SEND_SECONDS = 0.2
"""Between two sendings: five updates a second of each call."""

MOST_BYTES = 8 * 1024 * 1024
"""Of text that waits for the server; the oldest goes first (guess)."""


class Telling:
    """Main loop only."""

    def __init__(self, broker: WorkerBroker, log_bytes: int) -> None:
        self._broker, self._log_bytes = broker, log_bytes
        self._waiting: dict[str, Saying] = {}
        self._nbytes = 0
        self._spoken: dict[str, Task] = {}  # held tasks of which the server has words
        self._sent_at = 0.0

    def noted(self, task: Task, call: int, progress: TaskProgress) -> None:
        """A call has come so far."""
        said = self._saying(task).progress
        said.pop(call, None)  # so that the newest is the last
        said[call] = progress

    def wrote(self, task: Task, text: bytes, missed: int = 0) -> None:
        """A task has written text, after so many bytes that are lost."""
        if not self._log_bytes:
            return
        saying = self._saying(task)
        before = len(saying.text)
        saying.nbytes += len(text) + missed
        saying.text = (saying.text + text)[-self._log_bytes :]
        self._nbytes += len(saying.text) - before
        while self._nbytes > MOST_BYTES:
            self._drop_oldest()

    def _saying(self, task: Task) -> Saying:
        return self._waiting.setdefault(task.id, Saying(task))

    def _drop_oldest(self) -> None:
        oldest = self._waiting.pop(next(iter(self._waiting)))
        self._nbytes -= len(oldest.text)

    def due_in(self, now: float) -> float | None:
        """Seconds until something is to be sent; None while nothing is."""
        return max(0.0, self._sent_at + SEND_SECONDS - now) if self._waiting else None

    def send_if_due(self, now: float) -> None:
        """Send what waits, if it is time.  Raises an outage, and keeps it then."""
        if self.due_in(now) == 0.0:
            self.send()

    def send(self) -> None:
        """Send what waits.  Raises an outage, and keeps it then."""
        if not self._waiting:
            return
        sayings = list(self._waiting.values())
        try:
            self._broker.sayings.publish(self._broker.worker, sayings, self._log_bytes)
        except (ServerUnreachableError, LoginRefusedError):
            raise
        except ServerError as error:  # out of memory, say, where outcomes may yet be written
            log.warning("what tasks have written is not kept: %s", error)
        self._spoken |= {saying.task.id: saying.task for saying in sayings}
        self._waiting, self._nbytes, self._sent_at = {}, 0, time.monotonic()

    def end(self, held: Ledger) -> None:
        """Have the words of tasks that are not held any more expire in time.  Raises an outage."""
        if not self._spoken:
            return
        over = [task for task_id, task in self._spoken.items() if task_id not in held]
        if over:
            self._broker.sayings.end(over)
            for task in over:
                del self._spoken[task.id]

    def close(self) -> None:
        """Nothing is held any more, and nobody will wait for the server."""
        with suppress(ServerError):
            self.send()
            self.end(Ledger())
