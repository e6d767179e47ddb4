"""A producer's reply stream: what was read is removed, what comes is waited for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import ResponseError

from farpool_common.broker.connection import text
from farpool_common.broker.line import Command, Line
from farpool_common.broker.outages import translated
from farpool_common.errors import DecodeError
from farpool_common.keys import Keys
from farpool_common.payload import Part, unpack_parts

REPLIES_PER_READ = 500

ASK_MS = 1_000
"""How long a question that was sent together with a task waits at the server for the first answer."""


@dataclass(frozen=True)
class Reply:
    """One entry of a reply stream.  `last` tells that the task is over; the envelope may be empty then.
    `progress`: how far calls have come, as `progress_of` reads it; empty where the entry is no word of that."""

    entry_id: str
    task_id: str
    host: str
    attempt: int
    last: bool
    envelope: bytes
    parts: Sequence[Part]
    progress: bytes = b""


@dataclass(frozen=True)
class Question:
    """What came in after entry `after` of the stream `reply`?  The records of tasks that are `over`, the buffers that
    were `taken`, and the entries up to `read` ("0": none) may go."""

    reply: str
    after: str
    over: Sequence[str] = ()
    taken: Sequence[Part] = ()
    read: str = "0"


class Replies:
    """Reads reply streams on a connection of its own.  One thread at a time, but for `close`."""

    def __init__(self, client: redis.Redis, keys: Keys, place: str) -> None:
        self._keys, self._place = keys, place
        self._line = Line(client, place)

    def read(self, question: Question, block_ms: int) -> list[Reply]:
        """Entries, waiting up to `block_ms` for the first.  Raises the broker's errors."""
        answer = self._answer(question, block_ms)
        return [
            reply_of(text(entry), dict(zip(flat[::2], flat[1::2], strict=True)), self._keys.prefix)
            for _, entries in answer or ()
            for entry, flat in entries
        ]

    def _answer(self, question: Question, block_ms: int) -> Any:
        if not self._line.is_waiting:
            self._line.send([*self._tidying(question), _reading(question, block_ms)])
        elif not self._line.has_answer(block_ms / 1000):
            return None
        return self._last_of(self._line.answers())

    def _last_of(self, answers: list[Any]) -> Any:
        with translated(self._place):
            for answer in answers:
                if isinstance(answer, ResponseError):
                    raise answer
        return answers[-1]

    @property
    def is_asked(self) -> bool:
        """Whether a question waits for its answer."""
        return self._line.is_waiting

    def ask_behind(self, command: Command, question: Question) -> Any:
        """Send a command and the question behind it; returns the answer to the command, which may be an error.

        `read` takes the answer to the question.  Raises an outage.
        """
        tidying = self._tidying(question)
        self._line.send([*tidying, command, _reading(question, ASK_MS)])
        *_, answer = self._line.answers(len(tidying) + 1)
        return answer

    def _tidying(self, question: Question) -> list[Command]:
        commands: list[Command] = []
        if question.read != "0":
            seconds, _, sequence = question.read.partition("-")
            commands.append(("XTRIM", question.reply, "MINID", f"{seconds}-{int(sequence) + 1}"))
        keys = [*map(self._keys.job, question.over), *(key for part in question.taken for key in part.piece_keys())]
        if keys:
            commands.append(("UNLINK", *keys))
        return commands

    def let_go(self, question: Question) -> bool:
        """Let go of what the question would, without asking it; not while another waits for its answer."""
        if self._line.is_waiting:
            return False
        self._line.send(self._tidying(question))
        self._last_of(self._line.answers())
        return True

    def ask_anew(self) -> None:
        """Give up the question that waits: the next read asks again."""
        self._line.close()

    def close(self) -> None:
        """Drop the connection; a read that waits in another thread ends with ServerUnreachableError."""
        self._line.close()


def _reading(question: Question, block_ms: int) -> Command:
    return ("XREAD", "COUNT", REPLIES_PER_READ, "BLOCK", block_ms, "STREAMS", question.reply, question.after)


def reply_of(entry_id: str, fields: Mapping[bytes, bytes], prefix: str) -> Reply:
    """An entry of a stream of outcomes, whatever it holds."""
    attempt = text(fields.get(b"a", b"1"))
    try:
        envelope, parts = fields.get(b"o", b""), unpack_parts(fields.get(b"p", b""), prefix)
    except DecodeError:
        envelope, parts = b"\xc1", ()  # bytes that no decoder accepts: its calls fail, typed
    return Reply(
        entry_id,
        text(fields.get(b"j", b"")),
        text(fields.get(b"w", b"")),
        int(attempt) if attempt.isdecimal() else 1,
        fields.get(b"f") == b"1",
        envelope,
        parts,
        fields.get(b"n", b""),
    )
