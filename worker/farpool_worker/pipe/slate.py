"""Memory that a child and its daemon share: what the task in the child says while it runs.

A slate holds the newest progress, and the end of what was written to stdout and stderr.  Writing on it is a few
stores.  So that the daemon need not look all the time, the child rings when something new is on it, and only if
the daemon has wiped its bell (RUNG) since: it does so when a look has brought nothing new.  What is on it stays when
the child is killed.

The child tells at the end of a work what of it the daemon has not taken, by the pipe and before the outcome.
"""

import os
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from farpool_common.progress import MOST_LABEL
from farpool_worker.buffers.store import Segment

RUNG, VERSION, TAKEN, WORK, CALL, LABEL_BYTES, OWNER, BEGIN, WRITING, END, TEXT_TAKEN = range(11)
"""Words of a slate.  RUNG: the daemon will look.  Progress: its VERSION (odd while it is written), the one that the
daemon has TAKEN, whose it is, the size of its label.  Text: the work that writes it (OWNER, 0 for none), and
positions in all text of this child: where that work's text begins, up to where it is being written, where it ends, up
to where the daemon has taken it."""

NOTE = struct.Struct("<ddBB")
"""done, total, whether each is whole (1), a float (0) or not known (2)."""

TEXT_BYTES = 64 * 1024
"""How much of what a task has written is kept: the end."""

_NOTE_AT, _LABEL_AT, _TEXT_AT = 128, 192, 1024
_HEAD_BYTES = 4096
SLATE_BYTES = _TEXT_AT + TEXT_BYTES

WHOLE, REAL, UNKNOWN = 1, 0, 2

assert _LABEL_AT + 4 * MOST_LABEL <= _TEXT_AT


def new_slate() -> Segment:
    """Memory for one child; that of the text comes with the text.  Raises OSError when there is none."""
    (segment,) = Segment.reserve([SLATE_BYTES])
    os.posix_fallocate(segment.fd, segment.offset, _HEAD_BYTES)
    return segment


class Surface:
    """The parts of a slate."""

    def __init__(self, segment: Segment) -> None:
        view = segment.view
        self.words = view[:_NOTE_AT].cast("q")
        self.note = view[_NOTE_AT : _NOTE_AT + NOTE.size]
        self.label = view[_LABEL_AT:_TEXT_AT]
        self.text = view[_TEXT_AT:]

    def between(self, start: int, stop: int) -> bytes:
        """Text by its positions, at most TEXT_BYTES of it."""
        at, count = start % TEXT_BYTES, stop - start
        first = bytes(self.text[at : at + count])
        return first + bytes(self.text[: count - len(first)])


@dataclass(frozen=True)
class Pen:
    """How the child tells what does not wait on the slate.  `ring` and `add` may be called from any thread, and do
    nothing when they would have to wait; `call` is the one that runs."""

    ring: Callable[[], bool]
    add: Callable[[Sequence[object]], bool]
    call: Callable[[], int]


class Slate:
    """The child's end.  Any thread may write; a process that a task forks does not."""

    def __init__(self, segment: Segment, pen: Pen, most_bytes: int) -> None:
        """`most_bytes` of what a task writes are kept, up to TEXT_BYTES."""
        self._segment, self._pen, self._most = segment, pen, min(most_bytes, TEXT_BYTES)
        self._surface = Surface(segment)
        self._words = self._surface.words
        self._lock = threading.RLock()  # a signal handler may write, too
        self._label, self._is_allocated, self._told_to = "", False, 0
        os.register_at_fork(after_in_child=self._forget)

    def begin(self, number: int) -> None:
        """What comes now is this work's."""
        words = self._words
        words[OWNER] = 0
        words[BEGIN] = words[END]
        words[OWNER] = number
        words[RUNG] = 0  # a task may have been interrupted between this and the ring

    def progress(self, done: float, total: float | None, label: str) -> None:
        """How far the running call has come."""
        words = self._words
        owner, call = words[OWNER], self._pen.call()
        if not owner:
            return
        with self._lock:
            version = words[VERSION]
            if version != words[TAKEN] and (words[CALL] != call or words[WORK] != owner):
                self._tell_progress()
            words[VERSION] = version = version | 1
            words[WORK], words[CALL] = owner, call
            if label is not self._label:
                self._write_label(label)
            kind = UNKNOWN if total is None else type(total) is int
            NOTE.pack_into(self._surface.note, 0, done, total or 0, type(done) is int, kind)
            words[VERSION] = version + 1
        if not words[RUNG]:
            self._ring()

    def _write_label(self, label: str) -> None:
        raw = label.encode("utf-8", "replace")
        self._surface.label[: len(raw)] = raw
        self._words[LABEL_BYTES], self._label = len(raw), label

    def write(self, data: bytes) -> None:
        """Text that the task has written."""
        words = self._words
        if not (data and words[OWNER] and self._most):
            return
        with self._lock:
            if not self._is_allocated and not self._allocate():
                return
            end = words[END]
            stop = words[WRITING] = end + len(data)
            data = data[-self._most :]
            at = (stop - len(data)) % TEXT_BYTES
            first = min(len(data), TEXT_BYTES - at)
            self._surface.text[at : at + first] = data[:first]
            self._surface.text[: len(data) - first] = data[first:]
            words[END] = stop
        if not words[RUNG]:
            self._ring()

    def _allocate(self) -> bool:
        """A shortage of memory is no error of the task that writes, and must not kill it later."""
        try:
            os.posix_fallocate(self._segment.fd, self._segment.offset, SLATE_BYTES)
        except OSError:
            self._most = 0
            return False
        self._is_allocated = True
        return True

    def _ring(self) -> None:
        self._words[RUNG] = 1
        if not self._pen.ring():
            self._words[RUNG] = 0

    # --- before an outcome -----------------------------------------------------------------------

    def tell_rest(self) -> None:
        """Have told what the daemon has not taken: the newest progress."""
        if self._words[VERSION] != self._words[TAKEN]:
            with self._lock:
                self._tell_progress()

    def tell_all(self) -> None:
        """The same, and what the work has written.  It is over."""
        self.tell_rest()
        words = self._words
        if words[BEGIN] == words[END]:
            return
        after, stop = max(words[BEGIN], words[TEXT_TAKEN], self._told_to), words[END]
        if after < stop and words[OWNER]:
            start = max(after, stop - self._most)
            self._pen.add(["wrote", words[OWNER], start, self._surface.between(start, stop), start - after])
            self._told_to = stop

    def _tell_progress(self) -> None:
        note = read_note(self._surface)
        if note is not None and self._pen.add(["noted", *note]):
            self._words[TAKEN] = self._words[VERSION]

    def _forget(self) -> None:
        """In a process that a task has forked."""
        self._lock, self._most = threading.RLock(), 0
        self._pen = Pen(lambda: False, lambda _: False, lambda: 0)


def read_note(surface: Surface) -> tuple[int, int, float, float | None, str] | None:
    """Work, call, done, total and label; None while it is being written, or where a task has spoiled it."""
    words = surface.words
    version = words[VERSION]
    done, total, done_kind, total_kind = NOTE.unpack_from(surface.note)
    label = bytes(surface.label[: max(0, min(words[LABEL_BYTES], 4 * MOST_LABEL))]).decode("utf-8", "replace")
    work, call = words[WORK], words[CALL]
    if version % 2 or words[VERSION] != version:
        return None
    try:
        known = None if total_kind == UNKNOWN else _number(total, total_kind)
        return work, call, _number(done, done_kind), known, label
    except (ValueError, OverflowError):
        return None


def _number(value: float, kind: int) -> float:
    return int(value) if kind == WHOLE else value
