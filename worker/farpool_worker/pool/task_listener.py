"""Hears what the task in one child says: looks at its slate, and takes what it tells at the end of a work.

Whatever a task may have scribbled on the slate, or into the pipe, is text or a number that is left out.
"""

from typing import Any

from farpool_common.progress import as_progress
from farpool_worker.buffers.store import Segment
from farpool_worker.pipe.channel import GarbageError
from farpool_worker.pipe.slate import (
    BEGIN,
    END,
    OWNER,
    RUNG,
    TAKEN,
    TEXT_BYTES,
    TEXT_TAKEN,
    VERSION,
    WRITING,
    Surface,
    read_note,
)
from farpool_worker.pool.assignment import Assignment
from farpool_worker.pool.events import Noted, Wrote

LOOK_SECONDS = 0.2
"""Between two looks: five updates a second reach the server."""

MOST_MISSED = 2**50
"""A number that a server adds up without trouble, however a task may have spoiled it."""

MOST_READS = 20
"""Of progress that is being written meanwhile; then the next look has it (guess)."""

SAYINGS = ("told", "noted", "wrote")
"""Messages of a child that are for us."""


class TaskListener:
    """Main loop only."""

    def __init__(self, slate: Segment, assignment: Assignment) -> None:
        self._surface, self._assignment = Surface(slate), assignment
        self._look_at: float | None = None
        self._looked_at = 0.0
        self._version = 0
        self._text_of, self._text_to = 0, 0  # whose text was taken last, and up to which position

    def told(self, fields: list[Any], now: float) -> list[Noted | Wrote]:
        """Take one of the SAYINGS.  Raises GarbageError when it makes no sense."""
        match fields:
            case ["told"]:
                if self._look_at is None:
                    self._look_at = max(now, self._looked_at + LOOK_SECONDS)
                return []
            case ["noted", int(number), int(call), done, total, str(label)]:
                return self._noted(number, call, done, total, label)
            case ["wrote", int(number), int(start), bytes(text), int(missed)]:
                return self._wrote(number, self._untaken(number, start, text), missed)
            case _:
                raise GarbageError(f"an unknown message: {fields[0]!r}")

    def _untaken(self, number: int, start: int, text: bytes) -> bytes:
        """Without what a look has brought already."""
        stop = start + len(text)
        if number == self._text_of:
            text, stop = text[max(0, self._text_to - start) :], max(stop, self._text_to)
        if number >= self._text_of:
            self._text_of, self._text_to = number, stop
        return text

    def next_look(self, now: float) -> float | None:
        """Seconds until the next look; None while the child has nothing new to say."""
        return None if self._look_at is None else max(0.0, self._look_at - now)

    def look_if_due(self, now: float) -> list[Noted | Wrote]:
        """Look, if it is time; with nothing new, not again before the child rings."""
        if self._look_at is None or now < self._look_at:
            return []
        self._looked_at, words = now, self._surface.words
        found = self.look()
        if not found and not self._is_being_told:
            words[RUNG] = 0
            found = self.look()  # what it wrote without ringing, just before
            words[RUNG] = int(bool(found))
        self._look_at = now + LOOK_SECONDS if words[RUNG] else None
        return found

    def look(self) -> list[Noted | Wrote]:
        """What is new on the slate."""
        return [*self._new_progress(), *self._new_text()]

    def _new_progress(self) -> list[Noted | Wrote]:
        for _ in range(MOST_READS):
            if not self._is_being_told:
                break
            version = self._surface.words[VERSION]
            note = read_note(self._surface)
            if note is not None:
                self._version = self._surface.words[TAKEN] = version
                return self._noted(*note)
        return []

    @property
    def _is_being_told(self) -> bool:
        """Whether there is progress that was not taken."""
        return self._surface.words[VERSION] not in (self._version, self._surface.words[TAKEN])

    def _new_text(self) -> list[Noted | Wrote]:
        words = self._surface.words
        number, begin, end = words[OWNER], words[BEGIN], words[END]
        taken = self._text_to if number == self._text_of else 0
        after = max(begin, taken)
        start = max(after, end - TEXT_BYTES)
        if not 0 <= start < end or self._assignment.work_id(number) is None:
            return []
        text = self._surface.between(start, end)
        if words[OWNER] != number or words[BEGIN] != begin:  # it went on to another work, and tells by the pipe
            return []
        overwritten = min(max(0, words[WRITING] - TEXT_BYTES - start), len(text))
        self._text_of, self._text_to = number, end
        words[TEXT_TAKEN] = end
        return self._wrote(number, text[overwritten:], start + overwritten - after)

    def _noted(self, number: int, call: int, done: Any, total: Any, label: str) -> list[Noted | Wrote]:
        work_id, progress = self._assignment.work_id(number), as_progress(done, total, label)
        if work_id is None or progress is None or call < 0:
            return []
        return [Noted(work_id, call, progress)]

    def _wrote(self, number: int, text: bytes, missed: int) -> list[Noted | Wrote]:
        work_id = self._assignment.work_id(number)
        if work_id is None or not text:
            return []
        return [Wrote(work_id, text[-TEXT_BYTES:], min(max(0, missed), MOST_MISSED))]
