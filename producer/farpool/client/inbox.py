"""What a client reads: how far it has come in its reply stream, and whose turn it is to read on."""

import threading
from collections.abc import Sequence

from farpool_common.broker import ProducerBroker, Question, Reply
from farpool_common.payload import Part

FEW, MOST_OVER = 16, 1_000
"""Tasks that are over: so many are let go with a question, fewer wait for others or for a quiet moment; and at most so
many go with one."""

MOST_TAKEN_BYTES = 4 * 1024 * 1024
"""Of buffers that were read: more of them go at once, less goes with the next question, which saves a round trip."""


class Inbox:
    """Whoever holds `turn` may call the rest, but for `note_over`."""

    def __init__(self, broker: ProducerBroker, reply: str) -> None:
        self.reply = reply
        self.turn = threading.Lock()
        self._broker = broker
        self._after = "0"
        self._over: list[str] = []
        self._taken: list[Part] = []

    def read(self, block_ms: int) -> list[Reply]:
        """What has arrived, waiting up to `block_ms` for the first.  Raises the broker's errors."""
        return self._broker.read_replies(self.question(), block_ms)

    def ask_anew(self) -> None:
        """Ask again in the next read, should the stream have become something else meanwhile."""
        self._broker.ask_anew()

    def question(self) -> Question:
        """What to ask next: it also lets go of what was read or taken, and of the records of tasks that are over."""
        if len(self._over) < FEW and not self._taken:
            return Question(self.reply, self._after)
        over, self._over[:MOST_OVER] = self._over[:MOST_OVER], []
        taken, self._taken = self._taken, []
        return Question(self.reply, self._after, over, taken, self._after)

    def note_read(self, entry_id: str) -> None:
        """This entry was taken in: it need not come again."""
        self._after = entry_id

    def note_over(self, task_id: str) -> None:
        """Nobody will ask for this task any more, so its record need not wait until it expires."""
        self._over.append(task_id)

    def note_taken(self, parts: Sequence[Part]) -> None:
        """These buffers were read.  Raises the broker's errors; they expire by themselves then."""
        if any(part.is_shared for part in parts):  # no server is asked for those
            self._broker.forget(parts)
            return
        self._taken += parts
        if sum(part.nbytes for part in self._taken) > MOST_TAKEN_BYTES:
            self.tidy()

    def tidy(self) -> None:
        """Let go of what was read, should there be no further question for a while.  Raises the broker's errors."""
        over, taken = self._over, self._taken
        if (over or taken) and self._broker.let_go(Question(self.reply, self._after, over, taken, self._after)):
            self._over, self._taken = [], []

    def drop(self) -> None:
        """Remove the stream: nobody will read it any more."""
        self._broker.drop_reply(self.reply)
